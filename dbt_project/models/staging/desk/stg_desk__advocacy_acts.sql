with versions as (
    {{ newest_known('desk', 'advocacy_acts', key=['advocacy_act_id'], removal='_deleted') }}
)

select
    advocacy_act_id,
    account_id,
    contact_id,
    act_type,
    occurred_on,
    opportunity_id,
    known_at,
    _row as source_row,
    _source_file as source_file,
    _version_at as version_at,
    _was_known as is_known_version
from versions
