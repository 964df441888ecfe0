with versions as (
    {{ newest_known('desk', 'survey_responses', key=['survey_response_id'], removal='_deleted') }}
)

select
    survey_response_id,
    account_id,
    contact_id,
    survey_type,
    score,
    respondent_level,
    responded_on,
    known_at,
    _row as source_row,
    _source_file as source_file,
    _version_at as version_at,
    _was_known as is_known_version
from versions
