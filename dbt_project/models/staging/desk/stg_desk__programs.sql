with versions as (
    {{ newest_known('desk', 'programs', key=['program_id'], removal='_deleted') }}
)

select
    program_id,
    program_name,
    program_type,
    predicted_action,
    started_on,
    ended_on,
    cost_usd,
    is_randomised,
    _row as source_row,
    _source_file as source_file,
    _version_at as version_at,
    _was_known as is_known_version
from versions
