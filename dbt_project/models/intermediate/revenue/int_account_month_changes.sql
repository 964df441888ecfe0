{# Named outside of the policy that reads it: the project is parsed once for all policies. #}
{% set states = ref('int_subscription_item_states') %}
with

changes as (
    select
        subscription_id,
        account_id,
        opening_account_id,
        surviving_account_id,
        month_end_on,
        opening_mrr_usd,
        closing_mrr_usd,
        opening_paused_usd,
        closing_paused_usd,
        is_involuntary
    from {{ ref('int_subscription_month_changes') }}
),

subscriptions as (
    select
        subscription_id,
        account_id,
        month_end_on,
        max(surviving_account_id) as surviving_account_id,
        max(opening_account_id) as opening_account_id,
        sum(opening_mrr_usd) as opening_mrr_usd,
        sum(closing_mrr_usd) as closing_mrr_usd,
        sum(opening_paused_usd) as opening_paused_usd,
        sum(closing_paused_usd) as closing_paused_usd,
        max(case when is_involuntary then 1 else 0 end) as is_involuntary
    from changes
    group by subscription_id, account_id, month_end_on
),

-- A subscription that stops being paid and one that is paused, told apart one by one.
judged as (
    select
        account_id,
        opening_account_id,
        surviving_account_id,
        month_end_on,
        opening_mrr_usd,
        closing_mrr_usd,
        opening_paused_usd,
        closing_paused_usd,
        case
            when opening_mrr_usd > 0 and closing_mrr_usd = 0 and closing_paused_usd > 0
                then opening_mrr_usd
            else 0
        end as pause_out_usd,
        case
            when opening_mrr_usd = 0 and opening_paused_usd > 0 then closing_mrr_usd
            else 0
        end as pause_in_usd,
        case
            when opening_mrr_usd > 0 and closing_mrr_usd = 0 and closing_paused_usd = 0
                then is_involuntary
        end as is_involuntary_end
    from subscriptions
),

held as (
    select
        account_id,
        surviving_account_id,
        month_end_on,
        opening_mrr_usd,
        closing_mrr_usd,
        opening_paused_usd,
        closing_paused_usd,
        pause_out_usd,
        pause_in_usd,
        case when opening_account_id <> account_id then opening_mrr_usd else 0 end
            as merge_transfer_usd,
        is_involuntary_end
    from judged
    union all
    -- The account bought gives up what it held; it neither churns nor contracts.
    select
        opening_account_id as account_id,
        surviving_account_id,
        month_end_on,
        0 as opening_mrr_usd,
        0 as closing_mrr_usd,
        0 as opening_paused_usd,
        0 as closing_paused_usd,
        0 as pause_out_usd,
        0 as pause_in_usd,
        -opening_mrr_usd as merge_transfer_usd,
        null as is_involuntary_end
    from judged
    where opening_account_id <> account_id
),

accounts as (
    select
        account_id,
        surviving_account_id,
        month_end_on,
        cast(sum(opening_mrr_usd) as decimal(18, 2)) as opening_mrr_usd,
        cast(sum(closing_mrr_usd) as decimal(18, 2)) as closing_mrr_usd,
        cast(sum(opening_paused_usd) as decimal(18, 2)) as opening_paused_usd,
        cast(sum(closing_paused_usd) as decimal(18, 2)) as closing_paused_usd,
        cast(sum(pause_out_usd) as decimal(18, 2)) as pause_out_usd,
        cast(sum(pause_in_usd) as decimal(18, 2)) as pause_in_usd,
        cast(sum(merge_transfer_usd) as decimal(18, 2)) as merge_transfer_usd,
        -- Involuntary only when nobody decided: one subscription cancelled by choice makes it a
        -- choice.
        coalesce(min(is_involuntary_end) = 1, false) as is_involuntary
    from held
    group by account_id, surviving_account_id, month_end_on
),

months as (
    select
        month_end_on,
        previous_month_end_on,
        closes_at
    from {{ ref('int_month_ends') }}
),

item_months as (
    select
        billing_customer_id,
        month_end_on,
        mrr_usd,
        paused_mrr_usd
    from {{ ref('int_subscription_item_months') }}
),

holders as (
    select
        billing_customer_id,
        account_id,
        valid_from,
        valid_to
    from {{ ref('int_customer_holders') }}
),

-- Whoever pays and did not a month ago: what the past says of the contracts that the account holds
-- now, those it took over with another company included.
returns as (
    select
        accounts.account_id,
        accounts.month_end_on,
        months.previous_month_end_on,
        holders.billing_customer_id
    from accounts
    inner join months on accounts.month_end_on = months.month_end_on
    inner join holders
        on
            accounts.account_id = holders.account_id
            and {{ in_force_at_close(
                'holders.valid_from', 'holders.valid_to', 'months.closes_at'
            ) }}
    where accounts.opening_mrr_usd = 0 and accounts.closing_mrr_usd > 0
),

past_months as (
    select
        returns.account_id,
        returns.month_end_on,
        returns.previous_month_end_on,
        item_months.month_end_on as past_month_end_on,
        sum(item_months.mrr_usd) as mrr_usd,
        sum(item_months.paused_mrr_usd) as paused_mrr_usd
    from returns
    inner join item_months
        on
            returns.billing_customer_id = item_months.billing_customer_id
            and returns.month_end_on > item_months.month_end_on
    group by
        returns.account_id, returns.month_end_on, returns.previous_month_end_on,
        item_months.month_end_on
),

last_paid as (
    select
        *,
        max(case when mrr_usd > 0 then past_month_end_on end) over (
            partition by account_id, month_end_on
        ) as last_paid_on
    from past_months
),

pasts as (
    select
        account_id,
        month_end_on,
        last_paid_on,
        -- Waited for at every month-end since the last payment, or else gone.
        count(case when paused_mrr_usd > 0 and past_month_end_on > last_paid_on then 1 end)
        < {{ months_between('last_paid_on', 'previous_month_end_on') }} as was_gone
    from last_paid
    where last_paid_on is not null
    group by account_id, month_end_on, previous_month_end_on, last_paid_on
),
{% if policy_is('reactivation', 'within_90_days') %}
paid_states as (
    select
        billing_customer_id,
        valid_from,
        valid_to
    from {{ states }}
    where mrr_usd > 0
),

-- Nothing was paid at the opening, so what was paid ended before it and what is paid began after
-- it.
gaps as (
    select
        returns.account_id,
        returns.month_end_on,
        {{ dbt.datediff(
            'max(case when paid_states.valid_to <= months.closes_at then paid_states.valid_to end)',
            'min(case when paid_states.valid_from >= months.closes_at'
            ~ ' then paid_states.valid_from end)',
            'day'
        ) }} as gap_days
    from returns
    inner join months on returns.previous_month_end_on = months.month_end_on
    inner join paid_states on returns.billing_customer_id = paid_states.billing_customer_id
    group by returns.account_id, returns.month_end_on
),
{% endif %}
named as (
    select
        accounts.account_id,
        accounts.surviving_account_id,
        accounts.month_end_on,
        accounts.opening_mrr_usd,
        accounts.closing_mrr_usd,
        accounts.pause_out_usd,
        accounts.pause_in_usd,
        accounts.merge_transfer_usd,
        accounts.is_involuntary,
        {% set has_gaps = policy_is('reactivation', 'within_90_days') -%}
        {% set gap_days = 'gaps.gap_days' if has_gaps else 'null' -%}
        {{ movement_of_account(
            'accounts.opening_mrr_usd', 'accounts.closing_mrr_usd',
            'accounts.closing_paused_usd', '(pasts.last_paid_on is not null)', 'pasts.was_gone',
            gap_days
        ) }} as movement_of_account
    from accounts
    left join pasts
        on
            accounts.account_id = pasts.account_id
            and accounts.month_end_on = pasts.month_end_on
    {%- if policy_is('reactivation', 'within_90_days') %}
    left join gaps
        on
            accounts.account_id = gaps.account_id
            and accounts.month_end_on = gaps.month_end_on
    {%- endif %}
)

select
    account_id,
    surviving_account_id,
    month_end_on,
    opening_mrr_usd,
    closing_mrr_usd,
    movement_of_account,
    merge_transfer_usd,
    case when movement_of_account = 'change' then pause_out_usd else 0 end as pause_out_usd,
    case when movement_of_account = 'change' then pause_in_usd else 0 end as pause_in_usd,
    case
        when movement_of_account = 'change'
            then closing_mrr_usd - opening_mrr_usd + pause_out_usd - pause_in_usd
        else 0
    end as change_usd,
    is_involuntary
from named
