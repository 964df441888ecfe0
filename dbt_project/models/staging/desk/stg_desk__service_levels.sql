with versions as (
    {{ newest_known(
        'desk', 'service_levels',
        key=['account_id', 'measured_on', 'kpi_name'],
        removal='_deleted',
    ) }}
)

select
    account_id,
    measured_on,
    kpi_name,
    kpi_value,
    contracted_level,
    known_at,
    _row as source_row,
    _source_file as source_file,
    _version_at as version_at,
    _was_known as is_known_version
from versions
