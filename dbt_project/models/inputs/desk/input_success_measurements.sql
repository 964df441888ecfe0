select
    success_measurement_id,
    success_measure_id,
    account_id,
    measured_on,
    cast(checkpoint_month as bigint) as checkpoint_month,
    cast(value as double) as value,
    cast(value_usd as decimal(18, 2)) as value_usd,
    {{ known_from('known_at', 'measured_on') }} as known_at
from {{ ref('stg_desk__success_measurements') }}
where
    measured_on <= {{ as_of_date() }}
    and (known_at is null or known_at < {{ as_of_end() }})
