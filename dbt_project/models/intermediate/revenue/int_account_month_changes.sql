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

histories as (
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
        merge_transfer_usd,
        is_involuntary,
        coalesce(
            max(greatest(opening_mrr_usd, closing_mrr_usd)) over (
                partition by account_id
                order by month_end_on
                rows between unbounded preceding and 1 preceding
            ) > 0,
            false
        ) as has_paid_before
    from accounts
),
{% if policy_is('reactivation', 'within_90_days') %}
months as (
    select
        month_end_on,
        previous_month_end_on,
        closes_at
    from {{ ref('int_month_ends') }}
),

paid_states as (
    select
        account_id,
        valid_from,
        valid_to
    from {{ ref('int_subscription_item_states') }}
    where mrr_usd > 0 and account_id is not null
),

returns as (
    select
        histories.account_id,
        histories.surviving_account_id,
        histories.month_end_on,
        previous_months.closes_at as away_at
    from histories
    inner join months on histories.month_end_on = months.month_end_on
    inner join months as previous_months
        on months.previous_month_end_on = previous_months.month_end_on
    where histories.opening_mrr_usd = 0 and histories.closing_mrr_usd > 0
),

-- Nothing was paid at the opening, so what was paid ended before it and what is paid began after
-- it.
gaps as (
    select
        returns.account_id,
        returns.month_end_on,
        {{ dbt.datediff(
            'max(case when paid_states.valid_to <= returns.away_at then paid_states.valid_to end)',
            'min(case when paid_states.valid_from >= returns.away_at'
            ~ ' then paid_states.valid_from end)',
            'day'
        ) }} as gap_days
    from returns
    inner join paid_states on returns.surviving_account_id = paid_states.account_id
    group by returns.account_id, returns.month_end_on
),
{% endif %}
named as (
    select
        histories.account_id,
        histories.surviving_account_id,
        histories.month_end_on,
        histories.opening_mrr_usd,
        histories.closing_mrr_usd,
        histories.pause_out_usd,
        histories.pause_in_usd,
        histories.merge_transfer_usd,
        histories.is_involuntary,
        {% set has_gaps = policy_is('reactivation', 'within_90_days') -%}
        {% set gap_days = 'gaps.gap_days' if has_gaps else 'null' -%}
        {{ movement_of_account(
            'histories.opening_mrr_usd', 'histories.closing_mrr_usd',
            'histories.opening_paused_usd', 'histories.closing_paused_usd',
            'histories.has_paid_before', gap_days
        ) }} as movement_of_account
    from histories
    {%- if policy_is('reactivation', 'within_90_days') %}
    left join gaps
        on
            histories.account_id = gaps.account_id
            and histories.month_end_on = gaps.month_end_on
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
