with versions as (
    {{ newest_known('desk', 'competitors', key=['competitor_id'], removal='_deleted') }}
)

select
    competitor_id,
    competitor_name,
    _row as source_row,
    _source_file as source_file,
    _version_at as version_at,
    _was_known as is_known_version
from versions
