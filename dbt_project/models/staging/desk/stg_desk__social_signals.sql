with versions as (
    {{ newest_known('desk', 'social_signals', key=['social_signal_id'], removal='_deleted') }}
)

select
    social_signal_id,
    account_id,
    contact_id,
    signal_type,
    competitor_id,
    occurred_on,
    known_at,
    _row as source_row,
    _source_file as source_file,
    _version_at as version_at,
    _was_known as is_known_version
from versions
