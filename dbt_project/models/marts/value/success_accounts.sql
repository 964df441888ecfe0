{# Below which awareness of the value received a customer sees a cost and not a value. #}
{% set aware_share = 0.4 %}
{# Share of the measurements of service in a year that must keep what was promised. #}
{% set kept_share = 0.95 %}
{# Days before a due date in which speaking of value is selling under duress. #}
{% set last_days = 60 %}
with

months as (
    select
        account_id,
        month_end_on,
        {{ month_index('month_end_on') }} as month_number,
        segment,
        region,
        closing_arr_usd
    from {{ ref('fct_account_months') }}
    where is_active
),

account_map as (
    select
        source_account_id,
        account_id
    from {{ ref('int_account_map') }}
),

success as (
    select
        account_id,
        observed_on,
        last_measured_on,
        measure_confirmed_on,
        measures_defined,
        measures_attained,
        attainment,
        value_realised_12m_usd,
        value_reports_12m,
        acknowledged_reports_12m,
        exec_acknowledged_reports_90d,
        exec_acknowledged_reports_12m,
        primary_need_breaches_3m,
        primary_need_breaches_12m,
        primary_need_measured_12m,
        is_primary_need_met,
        -- greatest() and least() pass over what is not known.
        case when attainment > 1 then 1 when attainment < 0 then 0 else attainment end
            as value_realised_index
    from {{ ref('int_success_account_months') }}
),

surveys as (
    select
        account_id,
        observed_on,
        value_awareness,
        exec_value_awareness,
        expectation_share_12m,
        priority_rank,
        importance_share
    from {{ ref('int_survey_account_months') }}
),

months_later as (
    {{ months_later(12) }}
),

measures as (
    select
        account_map.account_id,
        measures.success_measure_id,
        measures.measure_name,
        measures.is_purchase_reason,
        measures.defined_on,
        measures.confirmed_on,
        {{ visible_on('measures.defined_on', 'measures.known_at') }} as visible_on
    from {{ ref('input_success_measures') }} as measures
    inner join account_map on measures.account_id = account_map.source_account_id
),

reasons as (
    select
        months.account_id,
        months.month_end_on,
        measures.measure_name,
        row_number() over (
            partition by months.account_id, months.month_end_on
            order by measures.defined_on desc, measures.success_measure_id asc
        ) as newest_rank
    from months
    inner join measures
        on
            months.account_id = measures.account_id
            and months.month_end_on >= measures.visible_on
    where measures.is_purchase_reason
),

owners as (
    select
        months.account_id,
        months.month_end_on,
        owners.employee_id,
        owners.owned_from,
        row_number() over (
            partition by months.account_id, months.month_end_on
            order by owners.owned_from desc, owners.employee_id asc
        ) as newest_rank
    from months
    inner join account_map on months.account_id = account_map.account_id
    inner join {{ ref('input_account_owners') }} as owners
        on
            account_map.source_account_id = owners.account_id
            and months.month_end_on >= owners.owned_from
            and (owners.owned_to is null or months.month_end_on < owners.owned_to)
),

-- Who takes a customer over has to learn how it measures success: a measure defined or confirmed
-- anew, whatever the predecessor left behind.
learnt as (
    select
        owners.account_id,
        owners.month_end_on,
        min(
            case
                when measures.defined_on >= owners.owned_from then measures.defined_on
                when
                    measures.confirmed_on >= owners.owned_from
                    and measures.confirmed_on <= owners.month_end_on
                    then measures.confirmed_on
            end
        ) as learnt_on
    from owners
    inner join measures
        on
            owners.account_id = measures.account_id
            and owners.month_end_on >= measures.visible_on
    where owners.newest_rank = 1
    group by owners.account_id, owners.month_end_on
),

-- Telling the customer what it has from us: a value report or a review of the business.
resells as (
    select
        activity_id,
        account_id,
        activity_type,
        event_on,
        visible_on,
        has_director_plus,
        {{ month_index('event_on') }} as month_number
    from {{ ref('int_touches') }}
    where activity_type in ('value_report', 'qbr') and account_id is not null
),

due_days as (
    select distinct
        account_id,
        due_on
    from {{ ref('fct_contract_terms') }}
),

desperate as (
    select distinct resells.activity_id
    from resells
    inner join due_days
        on
            resells.account_id = due_days.account_id
            and resells.event_on <= due_days.due_on
            and resells.event_on > {{ days_after('due_days.due_on', 0 - last_days) }}
),

resold as (
    select
        months.account_id,
        months.month_end_on,
        count(*) as resell_touches_12m,
        count(distinct floor((months.month_number - resells.month_number) / 3.0))
            as resell_quarters_12m,
        count(desperate.activity_id) as resell_touches_late_12m,
        max(resells.event_on) as last_resell_on,
        max(
            case
                when resells.activity_type = 'value_report' and resells.has_director_plus then 1
                else 0
            end
        ) as exec_received,
        min(case when resells.activity_type = 'value_report' then resells.event_on end)
            as first_report_on,
        max(case when resells.activity_type = 'value_report' then resells.event_on end)
            as last_report_on,
        count(case when resells.activity_type = 'value_report' then 1 end) as reports
    from resells
    cross join months_later
    inner join months
        on
            resells.account_id = months.account_id
            and resells.month_number + months_later.months_later = months.month_number
    left join desperate on resells.activity_id = desperate.activity_id
    where resells.visible_on <= months.month_end_on and months_later.months_later < 12
    group by months.account_id, months.month_end_on
),

-- Counts of nothing are facts only from when touches were recorded.
measures_recorded as (
    select coalesce(max(measures_defined), 0) > 0 as is_recorded
    from success
),

measurements_recorded as (
    select count(last_measured_on) > 0 as is_recorded
    from success
),

touch_coverage as (
    select
        min(visible_on) as recorded_from_on,
        count(has_director_plus) > 0 as are_levels_recorded
    from {{ ref('int_touches') }}
),

-- What is measured of the service, carried forward from the month in which it became visible: texts
-- of this kind sort by day, then by name.
service_levels as (
    select
        account_map.account_id,
        {{ month_end(visible_on('levels.measured_on', 'levels.known_at')) }} as month_end_on,
        max(cast(levels.measured_on as {{ dbt.type_string() }}) || '/' || levels.kpi_name)
            as newest_level
    from {{ ref('input_service_levels') }} as levels
    inner join account_map on levels.account_id = account_map.source_account_id
    group by
        account_map.account_id,
        {{ month_end(visible_on('levels.measured_on', 'levels.known_at')) }}
),

needs as (
    select
        spine.account_id,
        spine.month_end_on,
        max(service_levels.newest_level) over (
            partition by spine.account_id
            order by spine.month_end_on
            rows unbounded preceding
        ) as newest_level
    from {{ ref('fct_account_months') }} as spine
    left join service_levels
        on
            spine.account_id = service_levels.account_id
            and spine.month_end_on = service_levels.month_end_on
)

select
    months.account_id,
    owners.employee_id as owner_id,
    months.month_end_on,
    success.measure_confirmed_on as measure_confirmed_by_customer_on,
    success.last_measured_on,
    resold.last_resell_on,
    months.segment,
    months.region,
    reasons.measure_name as purchase_reason,
    case
        when
            {{ within_days(
                'cast(substr(needs.newest_level, 1, 10) as date)', 'months.month_end_on', 365
            ) }}
            then substr(needs.newest_level, 12)
    end as primary_need_kpi,
    months.closing_arr_usd,
    case when measures_recorded.is_recorded then coalesce(success.measures_defined, 0) end
        as measures_defined,
    case when measurements_recorded.is_recorded then cast(success.measures_attained as bigint) end
        as measures_attained,
    cast(
        {{ dbt.datediff('owners.owned_from', 'learnt.learnt_on', 'day') }}
        as bigint
    ) as days_owner_start_to_measure,
    success.value_realised_12m_usd,
    {{ stable('success.value_realised_index') }} as value_realised_index,
    {{ stable('success.value_realised_index - year_before.value_realised_index') }}
        as value_realised_index_delta_12m,
    surveys.value_awareness as value_awareness_index,
    surveys.exec_value_awareness as exec_value_awareness_index,
    {{ stable('success.value_realised_index - surveys.value_awareness') }} as awareness_gap,
    {{ stable('success.attainment') }} as delivery_vs_expectation_rate,
    surveys.expectation_share_12m,
    surveys.importance_share as importance_to_customer_share,
    cast(surveys.priority_rank as bigint) as priority_rank,
    success.value_reports_12m,
    success.acknowledged_reports_12m,
    {{ stable(
        'case when success.value_reports_12m > 0'
        ~ ' then 1.0 * success.acknowledged_reports_12m / success.value_reports_12m end'
    ) }} as ack_rate,
    {{ stable(
        'case when resold.reports > 1 then 1.0 * '
        ~ dbt.datediff('resold.first_report_on', 'resold.last_report_on', 'day')
        ~ ' / (resold.reports - 1) end'
    ) }} as value_report_cadence_days,
    case
        when months.month_end_on >= touch_coverage.recorded_from_on
            then coalesce(resold.resell_touches_12m, 0)
    end as resell_touches_12m,
    case
        when months.month_end_on >= touch_coverage.recorded_from_on
            then coalesce(resold.resell_quarters_12m, 0)
    end as resell_quarters_12m,
    cast({{ months_between('resold.last_resell_on', 'months.month_end_on') }} as bigint)
        as months_since_last_resell,
    {{ stable(
        'case when resold.resell_touches_12m > 0'
        ~ ' then 1.0 * resold.resell_touches_late_12m / resold.resell_touches_12m end'
    ) }} as resell_before_due_share,
    success.primary_need_breaches_3m,
    success.primary_need_breaches_12m,
    success.primary_need_measured_12m,
    {{ stable(
        'case when success.primary_need_measured_12m > 0 then'
        ~ ' 1.0 - 1.0 * success.primary_need_breaches_12m / success.primary_need_measured_12m end'
    ) }} as primary_need_kept_rate_12m,
    cases.urgent_cases_90d,
    case when measures_recorded.is_recorded then coalesce(success.measures_defined > 0, false) end
        as has_defined_measure,
    case
        when measures_recorded.is_recorded
            then
                coalesce(
                    {{ within_days('success.measure_confirmed_on', 'months.month_end_on', 365) }},
                    false
                )
    end as has_measure_confirmed_12m,
    case when measures_recorded.is_recorded then reasons.measure_name is not null end
        as has_purchase_reason,
    people.has_economic_buyer as has_known_budget_owner,
    case
        when
            months.month_end_on >= touch_coverage.recorded_from_on
            and touch_coverage.are_levels_recorded
            then coalesce(resold.exec_received, 0) = 1
    end as has_exec_received,
    success.exec_acknowledged_reports_90d > 0 as has_exec_acknowledged_90d,
    success.exec_acknowledged_reports_12m > 0 as has_exec_acknowledged,
    case
        when months.month_end_on >= touch_coverage.recorded_from_on
            then coalesce(resold.resell_quarters_12m, 0) = 4
    end as is_resold_every_quarter,
    -- Little seen, and nobody at the top who has said that value was received.
    surveys.value_awareness < {{ aware_share }}
    and not coalesce(success.exec_acknowledged_reports_12m > 0, false) as is_cuttable_cost,
    success.is_primary_need_met,
    case
        when success.primary_need_measured_12m > 0
            then
                success.primary_need_measured_12m - success.primary_need_breaches_12m
                >= {{ kept_share }} * success.primary_need_measured_12m
    end as is_primary_need_kept_12m
from months
cross join touch_coverage
cross join measures_recorded
cross join measurements_recorded
left join success
    on
        months.account_id = success.account_id
        and months.month_end_on = success.observed_on
left join success as year_before
    on
        months.account_id = year_before.account_id
        and {{ month_end(months_after('months.month_end_on', -12)) }} = year_before.observed_on
left join surveys
    on
        months.account_id = surveys.account_id
        and months.month_end_on = surveys.observed_on
left join reasons
    on
        months.account_id = reasons.account_id
        and months.month_end_on = reasons.month_end_on
        and reasons.newest_rank = 1
left join owners
    on
        months.account_id = owners.account_id
        and months.month_end_on = owners.month_end_on
        and owners.newest_rank = 1
left join learnt
    on
        months.account_id = learnt.account_id
        and months.month_end_on = learnt.month_end_on
left join resold
    on
        months.account_id = resold.account_id
        and months.month_end_on = resold.month_end_on
left join needs
    on
        months.account_id = needs.account_id
        and months.month_end_on = needs.month_end_on
left join {{ ref('int_case_account_months') }} as cases
    on
        months.account_id = cases.account_id
        and months.month_end_on = cases.observed_on
left join {{ ref('int_people_account_months') }} as people
    on
        months.account_id = people.account_id
        and months.month_end_on = people.observed_on
