with versions as (
    {{ newest_known('desk', 'risk_assessments', key=['risk_assessment_id'], removal='_deleted') }}
)

select
    risk_assessment_id,
    account_id,
    employee_id,
    assessed_on,
    sign_today_share,
    justification_type,
    known_at,
    _row as source_row,
    _source_file as source_file,
    _version_at as version_at,
    _was_known as is_known_version
from versions
