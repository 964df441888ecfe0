select
    success_measure_id,
    account_id,
    measure_name,
    direction,
    unit,
    cast(baseline as double) as baseline,
    cast(target as double) as target,
    lower(stakeholder_level) as stakeholder_level,
    is_quantified,
    measure_quality,
    is_purchase_reason,
    vendor_metric,
    asked_at,
    defined_on,
    {{ come_by('confirmed_on') }} as confirmed_on,
    coalesce(known_at, {{ day_start('defined_on') }}, version_at) as known_at
from {{ ref('stg_desk__success_measures') }}
where
    (defined_on is null or defined_on <= {{ as_of_date() }})
    and (known_at is null or known_at < {{ as_of_end() }})
