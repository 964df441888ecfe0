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
from {{ ref('stg_salesforce__contact') }}
