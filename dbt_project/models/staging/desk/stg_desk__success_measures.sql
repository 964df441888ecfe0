with versions as (
    {{ newest_known('desk', 'success_measures', key=['success_measure_id'], removal='_deleted') }}
)

select
    success_measure_id,
    account_id,
    measure_name,
    direction,
    unit,
    baseline,
    target,
    stakeholder_level,
    is_quantified,
    measure_quality,
    is_purchase_reason,
    vendor_metric,
    asked_at,
    defined_on,
    confirmed_on,
    known_at,
    _row as source_row,
    _source_file as source_file,
    _version_at as version_at,
    _was_known as is_known_version
from versions
