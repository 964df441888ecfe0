with

programs as (
    select
        program_id,
        program_name,
        predicted_action,
        ' '
        || {{ replaced(
            folded("coalesce(program_name, '') || ' ' || coalesce(predicted_action, '')"),
            '[^a-z0-9_]+', ' '
        ) }}
        || ' ' as words
    from {{ ref('dim_programs') }}
    where lower(program_type) = 'feature_campaign'
),

-- The feature that the campaign is about is told by its name or by what it wants to cause.
named as (
    select
        programs.program_id,
        features.feature_id,
        features.feature_name,
        row_number() over (
            partition by programs.program_id
            order by length(features.feature_name) desc, features.feature_id asc
        ) as name_rank
    from programs
    inner join {{ ref('dim_features') }} as features
        on
            {{ dbt.position(
                "' ' || lower(features.feature_name) || ' '", 'programs.words'
            ) }} > 0
            or {{ dbt.position("' ' || lower(features.feature_id) || ' '", 'programs.words') }} > 0
),

enrolments as (
    select
        enrolments.program_id,
        enrolments.account_id,
        enrolments.arm,
        enrolments.enrolled_on,
        {{ last_month_end('enrolments.enrolled_on') }} as before_month_on,
        {%- for days in [30, 60, 90] %}
            {{ month_end(days_after('enrolments.enrolled_on', days)) }} as after_{{ days }}_on,
        {%- endfor %}
        cast({{ dbt.date_trunc('year', 'enrolments.enrolled_on') }} as date) as year_start_on
    from {{ ref('fct_program_enrolments') }} as enrolments
    inner join programs on enrolments.program_id = programs.program_id
),

owners as (
    select
        enrolments.program_id,
        enrolments.account_id,
        owners.employee_id,
        row_number() over (
            partition by enrolments.program_id, enrolments.account_id
            order by owners.owned_from desc, owners.employee_id asc
        ) as newest_rank
    from enrolments
    inner join {{ ref('int_account_map') }} as account_map
        on enrolments.account_id = account_map.account_id
    inner join {{ ref('input_account_owners') }} as owners
        on
            account_map.source_account_id = owners.account_id
            and enrolments.enrolled_on >= owners.owned_from
            and (owners.owned_to is null or enrolments.enrolled_on < owners.owned_to)
),

-- Users of the feature of 28 days over the active users of the same days; without a named feature
-- nothing is looked at.
windows as (
    select
        observed_on,
        month_end_on
    from {{ ref('int_usage_windows') }}
),

used as (
    select
        workspaces.account_id,
        usage.feature_id,
        usage.observed_on,
        sum(usage.users_28d) as users_28d
    from {{ ref('int_usage_feature_windows') }} as usage
    inner join windows on usage.observed_on = windows.observed_on
    inner join {{ ref('int_workspace_map') }} as workspaces
        on usage.workspace_id = workspaces.workspace_id
    where workspaces.account_id is not null
    group by workspaces.account_id, usage.feature_id, usage.observed_on
),

rates as (
    select
        activity.account_id,
        activity.observed_on,
        named.feature_id,
        1.0 * coalesce(used.users_28d, 0) / nullif(activity.active_users_28d, 0) as adoption_rate
    from {{ ref('int_usage_account_months') }} as activity
    inner join named on named.name_rank = 1
    left join used
        on
            activity.account_id = used.account_id
            and activity.observed_on = used.observed_on
            and named.feature_id = used.feature_id
    where activity.usage_basis = 'daily'
),

compared as (
    select distinct
        enrolments.program_id,
        enrolments.account_id,
        enrolments.arm,
        enrolments.enrolled_on,
        enrolments.year_start_on,
        named.feature_id,
        named.feature_name,
        rates_before.adoption_rate as adoption_before,
        rates_30.adoption_rate as adoption_after_30,
        rates_60.adoption_rate as adoption_after_60,
        rates_90.adoption_rate as adoption_after_90
    from enrolments
    left join named on enrolments.program_id = named.program_id and named.name_rank = 1
    left join rates as rates_before
        on
            enrolments.account_id = rates_before.account_id
            and named.feature_id = rates_before.feature_id
            and enrolments.before_month_on = rates_before.observed_on
    {%- for days in [30, 60, 90] %}
        left join rates as rates_{{ days }}
            on
                enrolments.account_id = rates_{{ days }}.account_id
                and named.feature_id = rates_{{ days }}.feature_id
                and enrolments.after_{{ days }}_on = rates_{{ days }}.observed_on
    {%- endfor %}
),

arms as (
    select
        program_id,
        count(case when arm = 'control' then adoption_after_90 - adoption_before end)
            as controls_compared,
        avg(
            case when arm = 'control' then {{ exact('adoption_after_90 - adoption_before') }} end
        ) as control_change
    from compared
    group by program_id
)

select
    compared.program_id,
    compared.account_id,
    owners.employee_id as csm_id,
    compared.feature_id,
    compared.enrolled_on as started_on,
    programs.program_name,
    compared.feature_name,
    programs.predicted_action as business_goal,
    compared.arm,
    {{ stable('compared.adoption_before') }} as adoption_before,
    {{ stable('compared.adoption_after_30') }} as adoption_after_30,
    {{ stable('compared.adoption_after_60') }} as adoption_after_60,
    {{ stable('compared.adoption_after_90') }} as adoption_after_90,
    {{ stable('compared.adoption_after_90 - compared.adoption_before') }} as adoption_change_90,
    {{ stable('arms.control_change') }} as control_change_90,
    arms.controls_compared,
    case
        when owners.employee_id is not null and compared.arm = 'treated'
            then
                count(case when compared.arm = 'treated' then 1 end) over (
                    partition by owners.employee_id, compared.year_start_on
                )
    end as campaigns_of_csm_in_year
from compared
inner join programs on compared.program_id = programs.program_id
inner join arms on compared.program_id = arms.program_id
left join owners
    on
        compared.program_id = owners.program_id
        and compared.account_id = owners.account_id
        and owners.newest_rank = 1
