with versions as (
    {{ newest_known('salesforce', 'contact', key=['id'], created='created_date') }}
)

select
    id as contact_id,
    coalesce(is_deleted, false) and _was_known as is_deleted,
    created_date as created_at,
    system_modstamp as modified_at,
    account_id,
    first_name,
    last_name,
    email,
    title,
    level__c as level,
    roles__c as roles,
    consent_basis__c as consent_basis,
    departure_terms__c as departure_terms,
    left_on__c as left_on,
    former_contact_id__c as former_contact_id,
    has_opted_out_of_email as is_email_opted_out,
    master_record_id as merged_into_contact_id,
    _version_at as version_at,
    _was_known as is_known_version
from versions
