{# Share of the seats, or of the entitled features, from which on the product counts as adopted. #}
{% set adopted_share = 0.5 %}
with

stages as (
    select
        framework,
        stage_no,
        stage,
        entered_by,
        is_first_cycle_only,
        max(stage_no) over (partition by framework) as last_stage_no
    from {{ ref('lifecycle_frameworks') }}
),

terms as (
    select
        contract_term_id,
        account_id,
        started_on,
        due_on,
        coalesce(ended_on, due_on) as ended_on,
        renewed_on,
        outcome,
        cycle_number,
        is_open,
        -- The last month belongs to the talk about the renewal: month 11 of twelve.
        {{ months_after('due_on', -1) }} as steps_due_on
    from {{ ref('fct_contract_terms') }}
    where started_on <= {{ as_of_date() }}
),

account_map as (
    select
        source_account_id,
        account_id
    from {{ ref('int_account_map') }}
),

usage as (
    select
        account_id,
        observed_on as event_on,
        active_users_28d > 0 as is_used,
        coalesce(utilisation_rate >= {{ adopted_share }}, false)
        or coalesce(feature_adoption_rate >= {{ adopted_share }}, false) as is_adopted
    from {{ ref('int_usage_account_months') }}
),

touches as (
    select
        account_id,
        event_on,
        activity_type
    from {{ ref('int_touches') }}
    where account_id is not null
),

-- No touch is a fact only once touches are recorded.
touches_recorded as (
    select min(event_on) as from_on
    from touches
),

onboardings as (
    select
        account_map.account_id,
        plans.closed_on as event_on
    from {{ ref('input_action_plans') }} as plans
    inner join account_map on plans.account_id = account_map.source_account_id
    where
        plans.plan_type = 'onboarding'
        and plans.closed_on is not null
        and plans.outcome in ('achieved', 'partly_achieved')
),

expansions as (
    select
        account_id,
        month_end_on as event_on
    from {{ ref('fct_account_months') }}
    where expansion_usd > 0
),

-- A target that only we say was reached is not realised.
realisations as (
    select
        measurements.account_id,
        measurements.measured_on as event_on
    from {{ ref('fct_success_measurements') }} as measurements
    inner join {{ ref('input_success_measures') }} as measures
        on measurements.success_measure_id = measures.success_measure_id
    where measurements.is_attained and measures.confirmed_on is not null
),

events as (
    select
        account_id,
        'in_use' as event,
        event_on
    from usage
    where is_used
    union all
    select
        account_id,
        'in_use' as event,
        event_on
    from onboardings
    union all
    select
        account_id,
        'adopted' as event,
        event_on
    from usage
    where is_adopted
    union all
    select
        account_id,
        'trained' as event,
        event_on
    from touches
    where activity_type = 'training'
    union all
    select
        account_id,
        'value_shown' as event,
        event_on
    from touches
    where activity_type in ('value_report', 'qbr')
    union all
    select
        account_id,
        'expanded' as event,
        event_on
    from expansions
    union all
    select
        account_id,
        'realised' as event,
        event_on
    from realisations
),

in_term as (
    select
        terms.contract_term_id,
        events.event,
        min(events.event_on) as entered_on
    from terms
    inner join events
        on
            terms.account_id = events.account_id
            and terms.started_on <= events.event_on
            and terms.ended_on >= events.event_on
    group by terms.contract_term_id, events.event
    union all
    select
        contract_term_id,
        'signed' as event,
        started_on as entered_on
    from terms
    union all
    select
        contract_term_id,
        'renewed' as event,
        renewed_on as entered_on
    from terms
    where renewed_on is not null
),

touched as (
    select
        terms.contract_term_id,
        count(*) as touches,
        count(case when touches.activity_type in ('value_report', 'qbr') then 1 end)
            as value_touches
    from terms
    inner join touches
        on
            terms.account_id = touches.account_id
            and terms.started_on <= touches.event_on
            and terms.ended_on > touches.event_on
    group by terms.contract_term_id
),

-- From the second cycle on there is nothing to land: it starts at the first stage that repeats.
entered as (
    select
        terms.contract_term_id,
        terms.account_id,
        terms.started_on,
        terms.due_on,
        terms.ended_on,
        terms.steps_due_on,
        terms.outcome,
        terms.cycle_number,
        terms.is_open,
        stages.framework,
        stages.stage_no,
        stages.stage,
        stages.last_stage_no,
        in_term.entered_on
    from terms
    inner join stages on terms.cycle_number = 1 or not stages.is_first_cycle_only
    left join in_term
        on
            terms.contract_term_id = in_term.contract_term_id
            and stages.entered_by = in_term.event
),

placed as (
    select
        *,
        min(entered_on) over (
            partition by contract_term_id, framework
            order by stage_no
            rows between 1 following and unbounded following
        ) as next_entered_on,
        max(case when entered_on is not null then stage_no end) over (
            partition by contract_term_id, framework
        ) as furthest_stage_no,
        min(
            case
                when stage_no = last_stage_no then 1
                when entered_on <= steps_due_on then 1
                else 0
            end
        ) over (partition by contract_term_id, framework) as steps_done
    from entered
)

select
    placed.contract_term_id,
    placed.framework,
    placed.stage_no,
    placed.account_id,
    placed.started_on as cycle_started_on,
    placed.due_on as cycle_due_on,
    placed.entered_on,
    -- Left for whichever later stage came first; stages are drawn in a row and lived in any order.
    case
        when placed.next_entered_on >= placed.entered_on then placed.next_entered_on
        when placed.next_entered_on < placed.entered_on then placed.entered_on
    end as exited_on,
    placed.stage,
    placed.outcome as cycle_outcome,
    placed.cycle_number,
    cast(
        {{ dbt.datediff('placed.started_on', 'placed.entered_on', 'day') }}
        as bigint
    ) as days_to_stage,
    case when placed.ended_on > touches_recorded.from_on then coalesce(touched.touches, 0) end
        as touches,
    case when placed.ended_on > touches_recorded.from_on then coalesce(touched.value_touches, 0) end
        as value_touches,
    {{ stable(
        'case when placed.ended_on > touches_recorded.from_on then'
        ~ ' coalesce(touched.touches, 0) end * 30.4375 / nullif('
        ~ dbt.datediff(
            'placed.started_on', 'least(placed.ended_on, ' ~ as_of_date() ~ ')', 'day'
        ) ~ ', 0)'
    ) }} as touches_per_month,
    placed.entered_on is not null as is_entered,
    coalesce(placed.stage_no = placed.furthest_stage_no, false) as is_furthest_stage,
    case
        when placed.steps_done = 1 then true
        when placed.steps_due_on < {{ as_of_date() }} then false
    end as has_all_steps_by_month_11,
    placed.is_open as is_current_cycle
from placed
cross join touches_recorded
left join touched on placed.contract_term_id = touched.contract_term_id
