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
)

select
    used.account_id,
    used.observed_on,
    {{ stable(
        'sum(' ~ exact('used.events_90d * (1.0 - spread.account_share)', 12) ~ ')'
        ~ ' / cast(sum(used.events_90d) as double)'
    ) }}
        as novelty_score
from used
inner join spread
    on
        used.observed_on = spread.observed_on
        and used.feature_id = spread.feature_id
group by used.account_id, used.observed_on
