with contacts as (
    {{ of_either_crm('contact', 'contact', [
        'contact_id', 'account_id', 'first_name', 'last_name', 'email', 'title', 'level', 'roles',
        'consent_basis', 'departure_terms', 'left_on', 'former_contact_id', 'is_email_opted_out',
        'is_deleted', 'merged_into_contact_id', 'created_at', 'is_known_version',
    ]) }}
)

select
    contact_id,
    account_id,
    first_name,
    last_name,
    email,
    title,
    lower(level) as level,
    lower(roles) as roles,
    consent_basis,
    case when left_on <= {{ as_of_date() }} then departure_terms end as departure_terms,
    former_contact_id,
    coalesce(is_email_opted_out, false) as is_email_opted_out,
    coalesce(is_deleted, false) as is_deleted,
    case when is_known_version then merged_into_contact_id end as merged_into_contact_id,
    created_at
from contacts
