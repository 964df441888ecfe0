with

changes as (
    select
        subscription_id,
        coalesce(plan_id, 'unknown') as plan_id,
        price_terms,
        account_id,
        month_end_on,
        opening_quantity,
        closing_quantity,
        opening_mrr_usd,
        closing_mrr_usd,
        sum(opening_paused_usd + closing_paused_usd) over (
            partition by subscription_id, account_id, month_end_on
        ) as paused_usd
    from {{ ref('int_subscription_month_changes') }}
),

-- A subscription that pauses or resumes is a movement of its own, and no part of a change.
prices as (
    select
        account_id,
        month_end_on,
        plan_id,
        price_terms,
        sum(case when opening_mrr_usd > 0 then opening_quantity else 0 end) as opening_quantity,
        sum(case when closing_mrr_usd > 0 then closing_quantity else 0 end) as closing_quantity,
        sum(opening_mrr_usd) as opening_mrr_usd,
        sum(closing_mrr_usd) as closing_mrr_usd
    from changes
    where paused_usd = 0
    group by account_id, month_end_on, plan_id, price_terms
),

plans as (
    select
        account_id,
        month_end_on,
        plan_id,
        sum(opening_quantity) as opening_quantity,
        sum(closing_quantity) as closing_quantity,
        cast(sum(opening_mrr_usd) as decimal(18, 2)) as opening_mrr_usd,
        cast(sum(closing_mrr_usd) as decimal(18, 2)) as closing_mrr_usd,
        max(case when opening_quantity > 0 and closing_quantity > 0 then 0 else 1 end) = 0
            as has_same_prices
    from prices
    -- What was paid at neither end says nothing of prices.
    where opening_mrr_usd > 0 or closing_mrr_usd > 0
    group by account_id, month_end_on, plan_id
),

-- Other seats at the same prices and discounts are seats, tiers and rounding included. Where both
-- changed: seats at the old average, the new price on all seats. What comes with a plan taken up or
-- given up is plan.
parts as (
    select
        account_id,
        month_end_on,
        closing_mrr_usd - opening_mrr_usd as change_usd,
        case
            when opening_quantity = 0 or closing_quantity = 0 then 0
            when has_same_prices and opening_quantity <> closing_quantity
                then closing_mrr_usd - opening_mrr_usd
            else
                cast(
                    round(
                        cast(
                            (closing_quantity - opening_quantity) * opening_mrr_usd * 100 as double
                        )
                        / cast(opening_quantity as double)
                    ) / 100 as decimal(18, 2)
                )
        end as seats_usd,
        opening_quantity > 0 and closing_quantity > 0 as is_kept
    from plans
)

select
    account_id,
    month_end_on,
    cast(sum(seats_usd) as decimal(18, 2)) as seats_usd,
    cast(sum(case when is_kept then change_usd - seats_usd else 0 end) as decimal(18, 2))
        as price_usd,
    cast(sum(case when is_kept then 0 else change_usd end) as decimal(18, 2)) as plan_usd
from parts
group by account_id, month_end_on
