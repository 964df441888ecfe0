with

item_months as (
    select
        subscription_id,
        billing_customer_id,
        plan_id,
        price_terms,
        month_end_on,
        quantity,
        mrr_usd,
        paused_mrr_usd,
        is_involuntary
    from {{ ref('int_subscription_item_months') }}
),

months as (
    select
        month_end_on,
        next_month_end_on,
        closes_at
    from {{ ref('int_month_ends') }}
),

holders as (
    select
        billing_customer_id,
        account_id,
        surviving_account_id,
        valid_from,
        valid_to
    from {{ ref('int_customer_holders') }}
),

-- What closes one month opens the next: both sides of a month in one list need no outer join to
-- meet.
sides as (
    select
        subscription_id,
        billing_customer_id,
        plan_id,
        price_terms,
        month_end_on,
        cast(null as date) as opened_on,
        0 as opening_quantity,
        0 as opening_mrr_usd,
        0 as opening_paused_usd,
        quantity as closing_quantity,
        mrr_usd as closing_mrr_usd,
        paused_mrr_usd as closing_paused_usd,
        is_involuntary
    from item_months
    union all
    select
        item_months.subscription_id,
        item_months.billing_customer_id,
        item_months.plan_id,
        item_months.price_terms,
        months.next_month_end_on as month_end_on,
        item_months.month_end_on as opened_on,
        item_months.quantity as opening_quantity,
        item_months.mrr_usd as opening_mrr_usd,
        item_months.paused_mrr_usd as opening_paused_usd,
        0 as closing_quantity,
        0 as closing_mrr_usd,
        0 as closing_paused_usd,
        item_months.is_involuntary
    from item_months
    inner join months on item_months.month_end_on = months.month_end_on
),

changes as (
    select
        subscription_id,
        billing_customer_id,
        plan_id,
        price_terms,
        month_end_on,
        max(opened_on) as opened_on,
        sum(opening_quantity) as opening_quantity,
        sum(closing_quantity) as closing_quantity,
        cast(sum(opening_mrr_usd) as decimal(18, 2)) as opening_mrr_usd,
        cast(sum(closing_mrr_usd) as decimal(18, 2)) as closing_mrr_usd,
        cast(sum(opening_paused_usd) as decimal(18, 2)) as opening_paused_usd,
        cast(sum(closing_paused_usd) as decimal(18, 2)) as closing_paused_usd,
        max(case when is_involuntary then 1 else 0 end) = 1 as is_involuntary
    from sides
    group by subscription_id, billing_customer_id, plan_id, price_terms, month_end_on
)

select
    changes.subscription_id,
    changes.plan_id,
    changes.price_terms,
    holders.account_id,
    previous_holders.account_id as opening_account_id,
    holders.surviving_account_id,
    changes.month_end_on,
    changes.opening_quantity,
    changes.closing_quantity,
    changes.opening_mrr_usd,
    changes.closing_mrr_usd,
    changes.opening_paused_usd,
    changes.closing_paused_usd,
    changes.is_involuntary
from changes
-- The month after the last one known is not there, and its side falls away.
inner join months on changes.month_end_on = months.month_end_on
inner join holders
    on
        changes.billing_customer_id = holders.billing_customer_id
        and {{ in_force_at_close('holders.valid_from', 'holders.valid_to', 'months.closes_at') }}
left join months as previous_months on changes.opened_on = previous_months.month_end_on
left join holders as previous_holders
    on
        changes.billing_customer_id = previous_holders.billing_customer_id
        and {{ in_force_at_close(
            'previous_holders.valid_from', 'previous_holders.valid_to', 'previous_months.closes_at'
        ) }}
