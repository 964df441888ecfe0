with versions as (
    {{ newest_known('salesforce', 'case', key=['id'], created='created_date') }}
)

select
    id as case_id,
    coalesce(is_deleted, false) and _was_known as is_deleted,
    created_date as created_at,
    system_modstamp as modified_at,
    account_id,
    contact_id,
    owner_id,
    type as case_type,
    priority,
    status,
    origin,
    is_closed,
    closed_date as closed_at,
    first_response_at__c as first_response_at,
    csat_score__c as csat_score,
    handoffs__c as handoffs,
    is_bug_confirmed__c as is_bug_confirmed,
    _version_at as version_at,
    _was_known as is_known_version
from versions
