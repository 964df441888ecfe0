with versions as (
    {{ newest_known('desk', 'story_requests', key=['story_request_id'], removal='_deleted') }}
)

select
    story_request_id,
    format,
    requested_by_id,
    requested_on,
    fulfilled_on,
    account_id,
    _row as source_row,
    _source_file as source_file,
    _version_at as version_at,
    _was_known as is_known_version
from versions
