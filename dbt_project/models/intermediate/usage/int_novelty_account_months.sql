with

-- The same windows as everywhere: stale ones of other as-of dates are not on the list.
used as (
    select
        workspaces.account_id,
        usage.observed_on,
        usage.feature_id,
        sum(usage.events_90d) as events_90d
    from {{ ref('int_usage_feature_windows') }} as usage
    inner join {{ ref('int_usage_windows') }} as windows on usage.observed_on = windows.observed_on
    inner join
        {{ ref('int_workspace_map') }} as workspaces
        on usage.workspace_id = workspaces.workspace_id
    inner join {{ ref('int_account_map') }} as accounts
        on workspaces.account_id = accounts.source_account_id
    where not accounts.is_test
    group by workspaces.account_id, usage.observed_on, usage.feature_id
),

active as (
    select
        observed_on,
        count(distinct account_id) as accounts
    from used
    group by observed_on
),

spread as (
    select
        used.observed_on,
        used.feature_id,
        1.0 * count(*) / max(active.accounts) as account_share
    from used
    inner join active on used.observed_on = active.observed_on
    group by used.observed_on, used.feature_id
),

weighed as (
    select
        used.account_id,
        used.observed_on,
        used.feature_id,
        used.events_90d,
        spread.account_share,
        {{ exact('used.events_90d * (1.0 - spread.account_share)', 12) }} as novel_events,
        sum(used.events_90d) over (partition by used.account_id, used.observed_on)
            as account_events_90d
    from used
    inner join spread
        on
            used.observed_on = spread.observed_on
            and used.feature_id = spread.feature_id
),

ranked as (
    select
        *,
        row_number() over (
            partition by account_id, observed_on
            order by novel_events desc, feature_id asc
        ) as novelty_rank
    from weighed
)

select
    account_id,
    observed_on,
    max(case when novelty_rank = 1 then feature_id end) as novel_feature_id,
    {{ stable('sum(novel_events) / cast(sum(events_90d) as double)') }} as novelty_score,
    {{ stable(
        'max(case when novelty_rank = 1 then cast(events_90d as double) / account_events_90d end)'
    ) }} as novel_feature_event_share,
    {{ stable('max(case when novelty_rank = 1 then account_share end)') }}
        as novel_feature_account_share
from ranked
group by account_id, observed_on
