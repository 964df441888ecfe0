with

observations as (
    select
        account_id,
        observed_on,
        month_end_on,
        month_number
    from {{ ref('int_account_observations') }}
),

account_map as (
    select
        source_account_id,
        account_id
    from {{ ref('int_account_map') }}
),

months_later as (
    {{ months_later(12) }}
),

measures as (
    select
        accounts.account_id,
        measures.success_measure_id,
        measures.is_purchase_reason,
        {{ visible_on('measures.defined_on', 'measures.known_at') }} as visible_on,
        measures.confirmed_on
    from {{ ref('input_success_measures') }} as measures
    inner join account_map as accounts on measures.account_id = accounts.source_account_id
),

defined as (
    select
        observations.account_id,
        observations.observed_on,
        count(*) as measures_defined,
        max(case when measures.is_purchase_reason then 1 else 0 end) as purchase_reason_known,
        max(
            case
                when measures.confirmed_on <= observations.observed_on then measures.confirmed_on
            end
        )
            as measure_confirmed_on
    from observations
    inner join measures
        on
            observations.account_id = measures.account_id
            and observations.observed_on >= measures.visible_on
    group by observations.account_id, observations.observed_on
),

measurements as (
    select
        account_id,
        success_measure_id,
        success_measurement_id,
        measured_on,
        visible_on,
        value_usd,
        attainment
    from {{ ref('int_success_measurements') }}
),

measured as (
    select
        observations.account_id,
        observations.observed_on,
        measurements.success_measure_id,
        measurements.success_measurement_id,
        measurements.measured_on,
        measurements.value_usd,
        measurements.attainment
    from measurements
    cross join months_later
    inner join observations
        on
            measurements.account_id = observations.account_id
            and {{ month_index('measurements.measured_on') }} + months_later.months_later
            = observations.month_number
    where
        measurements.visible_on <= observations.observed_on
        and {{ within_days('measurements.measured_on', 'observations.observed_on', 365) }}
),

-- A measurement speaks for its measure until a newer one is known, and for a year.
recent as (
    select
        account_id,
        observed_on,
        value_usd,
        {{ exact('attainment') }} as attainment,
        row_number() over (
            partition by account_id, observed_on, success_measure_id
            order by measured_on desc, success_measurement_id desc
        ) as newest_rank
    from measured
),

attained as (
    select
        account_id,
        observed_on,
        avg(case when newest_rank = 1 then attainment end) as attainment,
        sum(case when newest_rank = 1 and attainment >= 1 then 1 else 0 end) as measures_attained,
        sum(value_usd) as value_realised_12m_usd
    from recent
    group by account_id, observed_on
),

-- The primary need is what the customer bought for: met in a measurement when no contracted level
-- is missed.
service_days as (
    select
        accounts.account_id,
        levels.measured_on,
        max({{ visible_on('levels.measured_on', 'levels.known_at') }}) as visible_on,
        min(
            case
                when levels.kpi_value is null or levels.contracted_level is null then null
                when levels.kpi_value >= levels.contracted_level then 1
                else 0
            end
        ) as is_met,
        min(
            case
                when levels.contracted_level > 0
                    then levels.kpi_value / levels.contracted_level
            end
        ) as level_kept
    from {{ ref('input_service_levels') }} as levels
    inner join account_map as accounts on levels.account_id = accounts.source_account_id
    group by accounts.account_id, levels.measured_on
),

served as (
    select
        observations.account_id,
        observations.observed_on,
        service_days.measured_on,
        service_days.is_met,
        service_days.level_kept
    from service_days
    cross join months_later
    inner join observations
        on
            service_days.account_id = observations.account_id
            and {{ month_index('service_days.measured_on') }} + months_later.months_later
            = observations.month_number
    where
        service_days.visible_on <= observations.observed_on
        and {{ within_days('service_days.measured_on', 'observations.observed_on', 365) }}
        and service_days.is_met is not null
),

breaches as (
    select
        account_id,
        observed_on,
        sum(1 - is_met) as primary_need_breaches_12m,
        count(*) as primary_need_measured_12m
    from served
    group by account_id, observed_on
),

served_lately as (
    select
        account_id,
        observed_on,
        is_met,
        level_kept,
        row_number() over (
            partition by account_id, observed_on
            order by measured_on desc
        ) as newest_rank
    from served
    where {{ within_days('measured_on', 'observed_on', 92) }}
),

needs as (
    select
        account_id,
        observed_on,
        max(case when newest_rank = 1 then is_met end) as primary_need_met,
        max(case when newest_rank = 1 then level_kept end) as primary_need_level,
        sum(1 - is_met) as primary_need_breaches_3m
    from served_lately
    group by account_id, observed_on
),

assessments as (
    select
        accounts.account_id,
        assessments.assessed_on,
        {{ visible_on('assessments.assessed_on', 'assessments.known_at') }} as visible_on,
        assessments.sign_today_share,
        assessments.justification_type,
        -- Texts of this kind sort as the assessments do: by day, then by key.
        cast(assessments.assessed_on as {{ dbt.type_string() }})
        || '/' || assessments.risk_assessment_id as assessment_key
    from {{ ref('input_risk_assessments') }} as assessments
    inner join account_map as accounts on assessments.account_id = accounts.source_account_id
),

-- "Last ever" needs no window: what became visible in a month is carried forward from there.
visible_measurements as (
    select
        account_id,
        {{ month_index('visible_on') }} as month_number,
        max(measured_on) as measured_on
    from measurements
    group by account_id, {{ month_index('visible_on') }}
),

visible_assessments as (
    select
        account_id,
        {{ month_index('visible_on') }} as month_number,
        max(assessment_key) as assessment_key
    from assessments
    group by account_id, {{ month_index('visible_on') }}
),

-- What was told before the first observation counts from it on.
months as (
    select
        account_id,
        month_number
    from observations
    union
    select
        account_id,
        month_number
    from visible_measurements
    union
    select
        account_id,
        month_number
    from visible_assessments
),

newest as (
    select
        months.account_id,
        months.month_number,
        max(visible_measurements.measured_on) over since_start as last_measured_on,
        max(visible_assessments.assessment_key) over since_start as assessment_key
    from months
    left join visible_measurements
        on
            months.account_id = visible_measurements.account_id
            and months.month_number = visible_measurements.month_number
    left join visible_assessments
        on
            months.account_id = visible_assessments.account_id
            and months.month_number = visible_assessments.month_number
    window
        since_start as (
            partition by months.account_id
            order by months.month_number
            rows unbounded preceding
        )
),

judged as (
    select
        observations.account_id,
        observations.observed_on,
        assessments.assessed_on,
        assessments.sign_today_share,
        assessments.justification_type
    from observations
    inner join newest
        on
            observations.account_id = newest.account_id
            and observations.month_number = newest.month_number
    inner join assessments
        on
            newest.account_id = assessments.account_id
            and newest.assessment_key = assessments.assessment_key
    where {{ within_days('assessments.assessed_on', 'observations.observed_on', 365) }}
)

select
    observations.account_id,
    observations.observed_on,
    observations.month_end_on,
    newest.last_measured_on,
    defined.measure_confirmed_on,
    judged.assessed_on as last_assessed_on,
    judged.justification_type as last_justification_type,
    defined.measures_defined,
    case when defined.measures_defined is not null then coalesce(attained.measures_attained, 0) end
        as measures_attained,
    {{ stable('attained.attainment') }} as attainment,
    cast(attained.value_realised_12m_usd as decimal(18, 2)) as value_realised_12m_usd,
    touches.value_reports_90d,
    touches.value_reports_12m,
    touches.acknowledged_reports_12m,
    touches.exec_acknowledged_reports_90d,
    touches.exec_acknowledged_reports_12m,
    cast(needs.primary_need_breaches_3m as bigint) as primary_need_breaches_3m,
    cast(breaches.primary_need_breaches_12m as bigint) as primary_need_breaches_12m,
    breaches.primary_need_measured_12m,
    {{ stable('needs.primary_need_level') }} as primary_need_level,
    {{ stable('judged.sign_today_share') }} as human_sign_today_share,
    coalesce(defined.purchase_reason_known, 0) = 1 as has_purchase_reason,
    coalesce(
        {{ within_days('newest.last_measured_on', 'observations.observed_on', 90) }}, false
    ) as is_measured_within_90d,
    needs.primary_need_met = 1 as is_primary_need_met
from observations
left join {{ ref('int_touch_account_months') }} as touches
    on
        observations.account_id = touches.account_id
        and observations.observed_on = touches.observed_on
left join defined
    on
        observations.account_id = defined.account_id
        and observations.observed_on = defined.observed_on
left join newest
    on
        observations.account_id = newest.account_id
        and observations.month_number = newest.month_number
left join attained
    on
        observations.account_id = attained.account_id
        and observations.observed_on = attained.observed_on
left join breaches
    on
        observations.account_id = breaches.account_id
        and observations.observed_on = breaches.observed_on
left join needs
    on
        observations.account_id = needs.account_id
        and observations.observed_on = needs.observed_on
left join judged
    on
        observations.account_id = judged.account_id
        and observations.observed_on = judged.observed_on
