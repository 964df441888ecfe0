with versions as (
    {{ newest_known('desk', 'features', key=['feature_id'], removal='_deleted') }}
)

select
    feature_id,
    feature_name,
    plan_family,
    is_strategic,
    released_on,
    _row as source_row,
    _source_file as source_file,
    _version_at as version_at,
    _was_known as is_known_version
from versions
