with versions as (
    {{ newest_known('desk', 'objectives', key=['employee_objective_id'], removal='_deleted') }}
)

select
    employee_objective_id,
    employee_id,
    objective_type,
    period_start_on,
    period_end_on,
    target,
    account_id,
    _row as source_row,
    _source_file as source_file,
    _version_at as version_at,
    _was_known as is_known_version
from versions
