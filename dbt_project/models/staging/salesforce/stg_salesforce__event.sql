with versions as (
    {{ newest_known('salesforce', 'event', key=['id'], created='created_date') }}
)

select
    id as event_id,
    coalesce(is_deleted, false) and _was_known as is_deleted,
    created_date as created_at,
    system_modstamp as modified_at,
    account_id,
    what_id,
    who_id,
    owner_id,
    type as event_type,
    start_date_time as starts_at,
    duration_in_minutes,
    is_two_way__c as is_two_way,
    acknowledged_on__c as acknowledged_on,
    _version_at as version_at,
    _was_known as is_known_version
from versions
