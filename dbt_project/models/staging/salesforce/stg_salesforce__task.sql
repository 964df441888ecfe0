with versions as (
    {{ newest_known('salesforce', 'task', key=['id'], created='created_date') }}
)

select
    id as task_id,
    coalesce(is_deleted, false) and _was_known as is_deleted,
    created_date as created_at,
    system_modstamp as modified_at,
    account_id,
    what_id,
    who_id,
    owner_id,
    type as task_type,
    task_subtype,
    status,
    activity_date as activity_on,
    completed_date_time as completed_at,
    is_two_way__c as is_two_way,
    acknowledged_on__c as acknowledged_on,
    _version_at as version_at,
    _was_known as is_known_version
from versions
