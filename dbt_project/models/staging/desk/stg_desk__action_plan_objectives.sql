with versions as (
    {{ newest_known('desk', 'action_plan_objectives', key=['objective_id'], removal='_deleted') }}
)

select
    objective_id,
    action_plan_id,
    name,
    due_on,
    done_on,
    known_at,
    _row as source_row,
    _source_file as source_file,
    _version_at as version_at,
    _was_known as is_known_version
from versions
