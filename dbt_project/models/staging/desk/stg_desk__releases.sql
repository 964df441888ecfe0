with versions as (
    {{ newest_known('desk', 'releases', key=['release_id'], removal='_deleted') }}
)

select
    release_id,
    feature_id,
    released_on,
    is_surprise_and_delight,
    _row as source_row,
    _source_file as source_file,
    _version_at as version_at,
    _was_known as is_known_version
from versions
