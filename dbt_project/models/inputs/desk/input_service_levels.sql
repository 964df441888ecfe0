select
    account_id,
    measured_on,
    kpi_name,
    cast(kpi_value as double) as kpi_value,
    cast(contracted_level as double) as contracted_level,
    {{ known_from('known_at', 'measured_on') }} as known_at
from {{ ref('stg_desk__service_levels') }}
where
    measured_on <= {{ as_of_date() }}
    and (known_at is null or known_at < {{ as_of_end() }})
