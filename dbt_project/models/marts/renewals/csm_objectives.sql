{# Stories told in public, of which one a quarter is asked; on stage, one a year. #}
{% set stories = "('case_study', 'blog', 'webinar', 'video', 'stage')" %}
{# New relationships a month, one at least at each of three levels. #}
{% set relationships_a_month = 3 %}
with

account_map as (
    select
        source_account_id,
        account_id
    from {{ ref('int_account_map') }}
),

agreed as (
    select
        objectives.employee_objective_id,
        objectives.employee_id,
        account_map.account_id,
        objectives.objective_type,
        objectives.period_start_on,
        objectives.period_end_on,
        objectives.target
    from {{ ref('input_objectives') }} as objectives
    left join account_map on objectives.account_id = account_map.source_account_id
    where objectives.period_start_on is not null and objectives.period_end_on is not null
),

employees as (
    select
        employee_id,
        function,
        hired_on,
        left_on
    from {{ ref('dim_employees') }}
),

owners as (
    select
        account_map.account_id,
        owners.employee_id,
        owners.owned_from,
        coalesce(owners.owned_to, cast('9999-12-31' as date)) as owned_to
    from {{ ref('input_account_owners') }} as owners
    inner join account_map on owners.account_id = account_map.source_account_id
),

talks as (
    select
        touches.account_id,
        people.person_id,
        touches.activity_id,
        touches.employee_id,
        touches.visible_on,
        touches.event_at
    from {{ ref('int_touches') }} as touches
    inner join {{ ref('int_touch_people') }} as people
        on touches.activity_id = people.activity_id
    where touches.is_two_way and touches.account_id is not null
),

states as (
    select
        person_id,
        account_id,
        visible_from_on,
        coalesce(visible_to_on, cast('9999-12-31' as date)) as visible_until_on,
        level
    from {{ ref('int_person_states') }}
),

spells as (
    select
        person_id,
        account_id,
        end_visible_on
    from {{ ref('int_person_spells') }}
    where end_visible_on is not null
),

usage as (
    select
        account_id,
        observed_on,
        utilisation_rate
    from {{ ref('int_usage_account_months') }}
    where utilisation_rate is not null
),

acts as (
    select
        account_id,
        occurred_on,
        act_type
    from {{ ref('fct_advocacy') }}
    where act_type in {{ stories }}
),

numbers as (
    {{ thousand_numbers() }}
),

-- What every customer success manager is asked for, written down or not: from the first month that
-- touches are recorded and they are here.
talks_recorded as (
    select min(visible_on) as from_on
    from talks
),

asked_from as (
    select
        employees.employee_id,
        greatest(employees.hired_on, talks_recorded.from_on) as from_on,
        least(coalesce(employees.left_on, {{ as_of_date() }}), {{ as_of_date() }}) as to_on
    from employees
    cross join talks_recorded
    where
        employees.function = 'cs'
        and employees.hired_on is not null
        and talks_recorded.from_on is not null
),

standing_periods as (
    {%- for objective_type, unit, months in [
        ('monthly_relationships', 'month', 1), ('stage', 'year', 12),
    ] %}
        select
            asked_from.employee_id,
            asked_from.from_on,
            asked_from.to_on,
            '{{ objective_type }}' as objective_type,
            {{ months_after(
                dbt.date_trunc(unit, 'asked_from.from_on'), 'numbers.n * ' ~ months
            ) }} as period_start_on,
            {{ days_after(
                months_after(
                    dbt.date_trunc(unit, 'asked_from.from_on'), '(numbers.n + 1) * ' ~ months
                ), -1
            ) }} as period_end_on
        from asked_from
        inner join numbers
            on
                {{ months_between('asked_from.from_on', 'asked_from.to_on') }} + {{ months }}
                >= numbers.n * {{ months }}
        {{ 'union all' if not loop.last }}
    {%- endfor %}
),

-- Of periods in which somebody came or went only whole ones count.
standing as (
    select
        employee_id,
        objective_type,
        period_start_on,
        period_end_on,
        case objective_type
            when 'monthly_relationships' then {{ relationships_a_month }} else 1
        end as target
    from standing_periods
    where
        period_start_on >= from_on
        and period_start_on <= to_on
        and least(period_end_on, {{ as_of_date() }}) <= to_on
),

asked as (
    select
        employee_objective_id as csm_objective_id,
        employee_objective_id,
        employee_id,
        account_id,
        objective_type,
        period_start_on,
        period_end_on,
        target
    from agreed
    union all
    select
        standing.employee_id
        || '-' || standing.objective_type
        || '-' || cast(standing.period_start_on as {{ dbt.type_string() }})
            as csm_objective_id,
        cast(null as {{ dbt.type_string() }}) as employee_objective_id,
        standing.employee_id,
        cast(null as {{ dbt.type_string() }}) as account_id,
        standing.objective_type,
        standing.period_start_on,
        standing.period_end_on,
        cast(standing.target as double) as target
    from standing
    left join agreed
        on
            standing.employee_id = agreed.employee_id
            and standing.objective_type = agreed.objective_type
            and standing.period_start_on = agreed.period_start_on
    where agreed.employee_id is null
),

-- A relationship begins with the first two-way touch ever, and with whoever of us was there.
ranked_talks as (
    select
        account_id,
        person_id,
        employee_id,
        visible_on,
        row_number() over (
            partition by account_id, person_id
            order by visible_on, event_at, activity_id
        ) as talk_rank
    from talks
),

relationships as (
    select
        ranked_talks.account_id,
        ranked_talks.person_id,
        ranked_talks.employee_id,
        ranked_talks.visible_on,
        states.level
    from ranked_talks
    left join states
        on
            ranked_talks.account_id = states.account_id
            and ranked_talks.person_id = states.person_id
            and ranked_talks.visible_on >= states.visible_from_on
            and ranked_talks.visible_on < states.visible_until_on
    where ranked_talks.talk_rank = 1
),

-- Counted by employee and day first: periods are then looked up by employee, whatever else grows.
gained_by_day as (
    select
        employee_id,
        visible_on,
        count(*) as gained,
        count(case when level = 'end_user' then 1 end) as new_rel_end_user,
        count(case when level = 'manager' then 1 end) as new_rel_manager,
        count(case when level = 'director_plus' then 1 end) as new_rel_director_plus
    from relationships
    where employee_id is not null
    group by employee_id, visible_on
),

gained as (
    select
        asked.csm_objective_id,
        sum(gained_by_day.gained) as gained,
        sum(gained_by_day.new_rel_end_user) as new_rel_end_user,
        sum(gained_by_day.new_rel_manager) as new_rel_manager,
        sum(gained_by_day.new_rel_director_plus) as new_rel_director_plus
    from asked
    inner join gained_by_day
        on
            asked.employee_id = gained_by_day.employee_id
            and gained_by_day.visible_on between asked.period_start_on and asked.period_end_on
    group by asked.csm_objective_id
),

-- It is lost by whoever owns the account when the departure is known.
lost_by_day as (
    select
        owners.employee_id,
        spells.end_visible_on,
        count(*) as lost
    from spells
    inner join relationships
        on
            spells.account_id = relationships.account_id
            and spells.person_id = relationships.person_id
            and spells.end_visible_on >= relationships.visible_on
    inner join owners
        on
            spells.account_id = owners.account_id
            and spells.end_visible_on >= owners.owned_from
            and spells.end_visible_on < owners.owned_to
    group by owners.employee_id, spells.end_visible_on
),

lost as (
    select
        asked.csm_objective_id,
        sum(lost_by_day.lost) as lost
    from asked
    inner join lost_by_day
        on
            asked.employee_id = lost_by_day.employee_id
            and lost_by_day.end_visible_on between asked.period_start_on and asked.period_end_on
    group by asked.csm_objective_id
),

told_by_day as (
    select
        owners.employee_id,
        acts.occurred_on,
        count(*) as stories_told,
        count(case when acts.act_type = 'stage' then 1 end) as stages_held
    from acts
    inner join owners
        on
            acts.account_id = owners.account_id
            and acts.occurred_on >= owners.owned_from
            and acts.occurred_on < owners.owned_to
    group by owners.employee_id, acts.occurred_on
),

told as (
    select
        asked.csm_objective_id,
        sum(told_by_day.stories_told) as stories_told,
        sum(told_by_day.stages_held) as stages_held
    from asked
    inner join told_by_day
        on
            asked.employee_id = told_by_day.employee_id
            and told_by_day.occurred_on between asked.period_start_on and asked.period_end_on
    group by asked.csm_objective_id
),

-- Utilisation before the period, and the newest inside it.
used as (
    select
        asked.csm_objective_id,
        usage.utilisation_rate,
        usage.observed_on < asked.period_start_on as is_before,
        row_number() over (
            partition by asked.csm_objective_id, usage.observed_on < asked.period_start_on
            order by usage.observed_on desc
        ) as newest_rank
    from asked
    inner join usage
        on
            asked.account_id = usage.account_id
            and usage.observed_on >= {{ days_after('asked.period_start_on', -31) }}
            and asked.period_end_on >= usage.observed_on
),

utilised as (
    select
        csm_objective_id,
        max(case when is_before then utilisation_rate end) as utilisation_start,
        max(case when not is_before then utilisation_rate end) as utilisation_end
    from used
    where newest_rank = 1
    group by csm_objective_id
),

acts_recorded as (
    select min(occurred_on) as from_on
    from acts
),

-- Nobody new at a level is a fact only where levels are written down at all.
levels_recorded as (
    select count(level) > 0 as is_recorded
    from states
),

owners_recorded as (
    select count(*) > 0 as are_owners_recorded
    from owners
),

measured as (
    select
        asked.csm_objective_id,
        asked.employee_objective_id,
        asked.employee_id,
        asked.account_id,
        asked.objective_type,
        asked.period_start_on,
        asked.period_end_on,
        asked.target,
        utilised.utilisation_start,
        utilised.utilisation_end,
        asked.objective_type in ('net_new_relationships', 'monthly_relationships')
            as is_about_relationships,
        case
            when asked.period_end_on >= talks_recorded.from_on
                then cast(coalesce(gained.gained, 0) as bigint)
        end as gained,
        {% for level in ['end_user', 'manager', 'director_plus'] -%}
            case
                when levels_recorded.is_recorded and asked.period_end_on >= talks_recorded.from_on
                    then cast(coalesce(gained.new_rel_{{ level }}, 0) as bigint)
            end as new_rel_{{ level }},
        {% endfor -%}
        case
            when
                owners_recorded.are_owners_recorded
                and asked.period_end_on >= talks_recorded.from_on
                then cast(coalesce(lost.lost, 0) as bigint)
        end as lost,
        {% for measure in ['stories_told', 'stages_held'] -%}
            case
                when
                    owners_recorded.are_owners_recorded
                    and asked.period_end_on >= acts_recorded.from_on
                    then cast(coalesce(told.{{ measure }}, 0) as bigint)
            end as {{ measure }},
        {% endfor -%}
        asked.period_end_on <= {{ as_of_date() }} as is_over
    from asked
    cross join talks_recorded
    cross join acts_recorded
    cross join levels_recorded
    cross join owners_recorded
    left join gained on asked.csm_objective_id = gained.csm_objective_id
    left join lost on asked.csm_objective_id = lost.csm_objective_id
    left join told on asked.csm_objective_id = told.csm_objective_id
    left join utilised on asked.csm_objective_id = utilised.csm_objective_id
),

reached as (
    select
        csm_objective_id,
        cast(
            case objective_type
                when 'monthly_relationships' then gained
                when 'net_new_relationships' then gained - lost
                when 'adoption_target' then utilisation_end
                when 'story' then stories_told
                when 'stage' then stages_held
            end as double
        ) as actual,
        -- A number of new relationships that are all of one kind is not what a month asks for.
        objective_type <> 'monthly_relationships'
        or (new_rel_end_user > 0 and new_rel_manager > 0 and new_rel_director_plus > 0)
            as is_diverse_enough
    from measured
)

select
    measured.csm_objective_id,
    measured.employee_objective_id,
    measured.employee_id,
    measured.account_id,
    measured.period_start_on,
    measured.period_end_on,
    case
        when measured.period_end_on <= {{ days_after('measured.period_start_on', 31) }} then 'month'
        when measured.period_end_on <= {{ days_after('measured.period_start_on', 93) }}
            then 'quarter'
        else 'year'
    end as period_type,
    measured.objective_type as mbo_type,
    {{ stable('measured.target') }} as target,
    {{ stable('reached.actual') }} as actual,
    {{ share_of('reached.actual', 'measured.target') }} as attainment,
    case when measured.is_about_relationships then measured.gained end as relationships_gained,
    case when measured.is_about_relationships then measured.lost end as relationships_lost,
    {% for level in ['end_user', 'manager', 'director_plus'] -%}
        case when measured.is_about_relationships then measured.new_rel_{{ level }} end
            as new_rel_{{ level }},
    {% endfor -%}
    {{ stable('measured.utilisation_start') }} as utilisation_start,
    {{ stable('measured.utilisation_end') }} as utilisation_end,
    measured.employee_objective_id is not null as is_agreed,
    measured.is_over,
    -- What has been counted stays counted; what may fall again is judged when the period is over.
    case
        when reached.actual >= measured.target and reached.is_diverse_enough
            then
                case
                    when
                        measured.is_over
                        or measured.objective_type in ('monthly_relationships', 'story', 'stage')
                        then true
                end
        when reached.actual >= measured.target and reached.is_diverse_enough is null then null
        when reached.actual is not null and measured.is_over then false
    end as is_attained
from measured
inner join reached on measured.csm_objective_id = reached.csm_objective_id
