select
    success_measurement_id,
    success_measure_id,
    account_id,
    measured_on,
    known_at,
    checkpoint_month,
    measure_name,
    direction,
    unit,
    stakeholder_level,
    baseline,
    target,
    value,
    value_usd,
    {{ stable('attainment') }} as attainment,
    is_purchase_reason,
    attainment >= 1 as is_attained
from {{ ref('int_success_measurements') }}
