with versions as (
    {{ newest_known('desk', 'trigger_events', key=['trigger_event_id'], removal='_deleted') }}
)

select
    trigger_event_id,
    account_id,
    trigger_type,
    occurred_on,
    source,
    known_at,
    _row as source_row,
    _source_file as source_file,
    _version_at as version_at,
    _was_known as is_known_version
from versions
