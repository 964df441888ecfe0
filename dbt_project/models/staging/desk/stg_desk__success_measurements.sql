with versions as (
    {{ newest_known(
        'desk', 'success_measurements',
        key=['success_measurement_id'],
        removal='_deleted',
    ) }}
)

select
    success_measurement_id,
    success_measure_id,
    account_id,
    measured_on,
    checkpoint_month,
    value,
    value_usd,
    known_at,
    _row as source_row,
    _source_file as source_file,
    _version_at as version_at,
    _was_known as is_known_version
from versions
