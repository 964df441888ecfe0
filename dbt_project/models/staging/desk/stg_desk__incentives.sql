with versions as (
    {{ newest_known('desk', 'incentives', key=['incentive_id'], removal='_deleted') }}
)

select
    incentive_id,
    function,
    metric,
    weight,
    valid_from,
    valid_to,
    _row as source_row,
    _source_file as source_file,
    _version_at as version_at,
    _was_known as is_known_version
from versions
