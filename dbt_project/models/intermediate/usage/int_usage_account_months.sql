with

observations as (
    select
        account_id,
        observed_on,
        month_end_on,
        month_number
    from {{ ref('int_account_observations') }}
),

workspaces as (
    select
        workspaces.workspace_id,
        workspaces.account_id
    from {{ ref('int_workspace_map') }} as workspaces
    where workspaces.account_id is not null
),

accounts_with_workspace as (
    select distinct account_id
    from workspaces
),

-- Windows of other as-of dates may lie in the tables that are kept; the list of windows says which
-- count.
windows as (
    select
        observed_on,
        month_end_on
    from {{ ref('int_usage_windows') }}
),

raw_usage as (
    select min(usage_on) as first_usage_on
    from {{ ref('input_usage_daily') }}
),

totals as (
    select
        workspaces.account_id,
        usage.observed_on,
        max(usage.last_usage_on) as last_usage_on,
        sum(usage.active_users_28d) as active_users_28d,
        sum(usage.active_users_90d) as active_users_90d,
        sum(usage.events_28d) as events_28d,
        sum(usage.events_90d) as events_90d,
        bit_count(bit_or(usage.active_days_28d_bits)) as active_days_28d
    from {{ ref('int_usage_workspace_windows') }} as usage
    inner join windows on usage.observed_on = windows.observed_on
    inner join workspaces on usage.workspace_id = workspaces.workspace_id
    group by workspaces.account_id, usage.observed_on
),

features as (
    select
        workspaces.account_id,
        usage.observed_on,
        count(distinct usage.feature_id) as features_used_90d,
        count(
            distinct case
                when features.is_strategic and usage.weeks_used_8w >= 4 then usage.feature_id
            end
        )
            as strategic_features_adopted
    from {{ ref('int_usage_feature_windows') }} as usage
    inner join windows on usage.observed_on = windows.observed_on
    inner join workspaces on usage.workspace_id = workspaces.workspace_id
    left join {{ ref('input_features') }} as features on usage.feature_id = features.feature_id
    group by workspaces.account_id, usage.observed_on
),

entitled as (
    select
        observations.account_id,
        observations.observed_on,
        count(distinct entitlements.feature_id) as features_entitled
    from {{ ref('input_entitlements') }} as entitlements
    inner join {{ ref('int_account_map') }} as accounts
        on entitlements.account_id = accounts.source_account_id
    inner join observations
        on
            accounts.account_id = observations.account_id
            and entitlements.entitled_from <= observations.observed_on
            and (
                entitlements.entitled_to is null
                or entitlements.entitled_to > observations.observed_on
            )
    group by observations.account_id, observations.observed_on
),

power_users as (
    select
        workspaces.account_id,
        usage.observed_on,
        count(*) as regular_users,
        sum(
            case
                when usage.features_used_28d
                    >= {{ var('power_user_feature_share', 0.5) }} * entitled.features_entitled
                    then 1
                else 0
            end
        ) as power_users
    from {{ ref('int_usage_regular_users') }} as usage
    inner join windows on usage.observed_on = windows.observed_on
    inner join workspaces on usage.workspace_id = workspaces.workspace_id
    left join entitled
        on
            workspaces.account_id = entitled.account_id
            and usage.observed_on = entitled.observed_on
    group by workspaces.account_id, usage.observed_on
),

-- Before raw events are kept, the monthly aggregates answer: a calendar month stands in for 28 and
-- for 90 days.
monthly as (
    select
        workspaces.account_id,
        usage.month as month_end_on,
        sum(usage.active_users) as active_users,
        sum(usage.events) as events,
        max(usage.features_used) as features_used,
        sum(usage.licences) as licences
    from {{ ref('input_usage_monthly') }} as usage
    inner join workspaces on usage.workspace_id = workspaces.workspace_id
    group by workspaces.account_id, usage.month
),

-- Which features the months had in common is not told: the richest of three months is the least
-- that was used.
monthly_features as (
    select
        account_id,
        month_end_on,
        max(features_used) over (
            partition by account_id
            order by month_end_on
            rows between 2 preceding and current row
        ) as features_used
    from monthly
),

monthly_coverage as (
    select
        min(month) as first_month_on,
        max(month) as last_month_on
    from {{ ref('input_usage_monthly') }}
),

bases as (
    select
        observations.account_id,
        observations.observed_on,
        observations.month_end_on,
        observations.month_number,
        case
            when accounts_with_workspace.account_id is null then null
            when
                {{ days_after('observations.observed_on', -27) }} >= raw_usage.first_usage_on
                then 'daily'
            when
                observations.observed_on >= monthly_coverage.first_month_on
                and observations.observed_on <= monthly_coverage.last_month_on
                then 'monthly'
        end as usage_basis
    from observations
    cross join raw_usage
    cross join monthly_coverage
    left join accounts_with_workspace
        on observations.account_id = accounts_with_workspace.account_id
),

measured as (
    select
        bases.account_id,
        bases.observed_on,
        bases.month_end_on,
        bases.month_number,
        bases.usage_basis,
        case when bases.usage_basis = 'daily' then totals.last_usage_on end as last_usage_on,
        case bases.usage_basis
            when 'daily' then coalesce(totals.active_users_28d, 0)
            when 'monthly' then coalesce(monthly.active_users, 0)
        end as active_users_28d,
        case bases.usage_basis
            when 'daily' then coalesce(totals.active_users_90d, 0)
        end as active_users_90d,
        case bases.usage_basis
            when 'daily' then coalesce(totals.events_28d, 0)
            when 'monthly' then coalesce(monthly.events, 0)
        end as events_28d,
        case bases.usage_basis
            when 'daily' then coalesce(totals.active_days_28d, 0)
        end as active_days_28d,
        case bases.usage_basis
            when 'daily' then coalesce(features.features_used_90d, 0)
            when 'monthly' then coalesce(monthly_features.features_used, 0)
        end as features_used_90d,
        case bases.usage_basis
            when 'daily' then coalesce(features.strategic_features_adopted, 0)
        end as strategic_features_adopted,
        entitled.features_entitled,
        case bases.usage_basis
            when 'daily' then coalesce(power_users.regular_users, 0)
        end as regular_users,
        case
            when bases.usage_basis = 'daily' and entitled.features_entitled > 0
                then coalesce(power_users.power_users, 0)
        end as power_users,
        -- Billing counts the seats; the aggregates remember them where billing does not reach back.
        coalesce(
            licences.licences, case when bases.usage_basis = 'monthly' then monthly.licences end
        )
            as licences
    from bases
    left join totals
        on bases.account_id = totals.account_id and bases.observed_on = totals.observed_on
    left join features
        on bases.account_id = features.account_id and bases.observed_on = features.observed_on
    left join entitled
        on bases.account_id = entitled.account_id and bases.observed_on = entitled.observed_on
    left join power_users
        on bases.account_id = power_users.account_id and bases.observed_on = power_users.observed_on
    left join monthly
        on bases.account_id = monthly.account_id and bases.month_end_on = monthly.month_end_on
    left join monthly_features
        on
            bases.account_id = monthly_features.account_id
            and bases.month_end_on = monthly_features.month_end_on
    left join {{ ref('int_licence_account_months') }} as licences
        on bases.account_id = licences.account_id and bases.observed_on = licences.observed_on
),

compared as (
    select
        *,
        avg(active_users_28d) over (
            partition by account_id
            order by month_number
            rows between 4 preceding and 2 preceding
        ) as active_users_before,
        avg(events_28d) over (
            partition by account_id
            order by month_number
            rows between 4 preceding and 2 preceding
        ) as events_before
    from measured
)

select
    account_id,
    observed_on,
    month_end_on,
    last_usage_on,
    usage_basis,
    cast(active_users_28d as bigint) as active_users_28d,
    cast(active_users_90d as bigint) as active_users_90d,
    cast(events_28d as bigint) as events_28d,
    -- The short name is what the spine carries.
    cast(events_28d as bigint) as events,
    cast(active_days_28d as bigint) as active_days_28d,
    cast(features_used_90d as bigint) as features_used_90d,
    cast(features_entitled as bigint) as features_entitled,
    cast(strategic_features_adopted as bigint) as strategic_features_adopted,
    cast(regular_users as bigint) as regular_users,
    cast(power_users as bigint) as power_users,
    cast(licences as bigint) as licences,
    {{ stable('case when licences > 0 then 1.0 * active_users_28d / licences end') }}
        as utilisation_rate,
    {{ stable(
        'case when features_entitled > 0 then 1.0 * features_used_90d / features_entitled end'
    ) }}
        as feature_adoption_rate,
    {{ stable('case when active_users_28d > 0 then 1.0 * power_users / active_users_28d end') }}
        as power_user_share,
    {{ stable(
        'case when active_users_before > 0 then active_users_28d / active_users_before - 1 end'
    ) }}
        as active_users_change_rate,
    {{ stable('case when events_before > 0 then events_28d / events_before - 1 end') }}
        as events_change_rate
from compared
