with

measures as (
    select
        success_measure_id,
        measure_name,
        direction,
        unit,
        baseline,
        target,
        stakeholder_level,
        is_purchase_reason
    from {{ ref('input_success_measures') }}
),

measurements as (
    select
        measurements.success_measurement_id,
        measurements.success_measure_id,
        accounts.account_id,
        measurements.measured_on,
        {{ visible_on('measurements.measured_on', 'measurements.known_at') }} as visible_on,
        measurements.known_at,
        measurements.checkpoint_month,
        measurements.value,
        measurements.value_usd
    from {{ ref('input_success_measurements') }} as measurements
    left join {{ ref('int_account_map') }} as accounts
        on measurements.account_id = accounts.source_account_id
    where not coalesce(accounts.is_test, false)
)

select
    measurements.success_measurement_id,
    measurements.success_measure_id,
    measurements.account_id,
    measurements.measured_on,
    measurements.visible_on,
    measurements.known_at,
    measurements.checkpoint_month,
    measures.measure_name,
    measures.direction,
    measures.unit,
    measures.stakeholder_level,
    measures.baseline,
    measures.target,
    measurements.value,
    measurements.value_usd,
    -- The quotient is the same for both directions: a fall towards a lower target is a gain over a
    -- negative distance. A target that contradicts its direction is a typing error, and no share of
    -- the way can be told from it.
    case
        when measures.direction = 'higher_is_better' and measures.target > measures.baseline
            then (measurements.value - measures.baseline) / (measures.target - measures.baseline)
        when measures.direction = 'lower_is_better' and measures.target < measures.baseline
            then (measures.baseline - measurements.value) / (measures.baseline - measures.target)
    end as attainment,
    measures.is_purchase_reason
from measurements
left join measures on measurements.success_measure_id = measures.success_measure_id
