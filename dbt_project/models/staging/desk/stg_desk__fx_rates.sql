with versions as (
    {{ newest_known('desk', 'fx_rates', key=['currency', 'valid_from'], removal='_deleted') }}
)

select
    currency,
    valid_from,
    usd_per_unit,
    _row as source_row,
    _source_file as source_file,
    _version_at as version_at,
    _was_known as is_known_version
from versions
