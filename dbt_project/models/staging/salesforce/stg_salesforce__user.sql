with versions as (
    {{ newest_known('salesforce', 'user', key=['id'], created='created_date') }}
)

select
    id as user_id,
    coalesce(is_deleted, false) and _was_known as is_deleted,
    created_date as created_at,
    system_modstamp as modified_at,
    name,
    email,
    title,
    department,
    is_active,
    function__c as function,
    hired_on__c as hired_on,
    left_on__c as left_on,
    destination_account_id__c as destination_account_id,
    _version_at as version_at,
    _was_known as is_known_version
from versions
