with versions as (
    {{ known_versions('salesforce', 'contact', key=['id'], created='created_date') }}
)

select
    id as contact_id,
    created_date as created_at,
    account_id,
    title,
    level__c as level,
    roles__c as roles,
    {{ come_by('left_on__c') }} as left_on,
    _version_at as version_at,
    _was_known as is_known_version
from versions
