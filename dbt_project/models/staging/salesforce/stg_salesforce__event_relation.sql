with versions as (
    {{ newest_known('salesforce', 'event_relation', key=['id'], created='created_date') }}
)

select
    id as event_relation_id,
    coalesce(is_deleted, false) and _was_known as is_deleted,
    created_date as created_at,
    system_modstamp as modified_at,
    event_id,
    relation_id,
    is_invitee,
    status,
    _version_at as version_at,
    _was_known as is_known_version
from versions
