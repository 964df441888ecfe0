with versions as (
    {{ newest_known('desk', 'action_plans', key=['action_plan_id'], removal='_deleted') }}
)

select
    action_plan_id,
    account_id,
    owner_id,
    plan_type,
    opened_on,
    due_on,
    closed_on,
    status,
    outcome,
    cost_usd,
    known_at,
    _row as source_row,
    _source_file as source_file,
    _version_at as version_at,
    _was_known as is_known_version
from versions
