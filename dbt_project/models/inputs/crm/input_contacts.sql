select
    cast(null as varchar) as contact_id,
    cast(null as varchar) as account_id,
    cast(null as varchar) as first_name,
    cast(null as varchar) as last_name,
    cast(null as varchar) as email,
    cast(null as varchar) as title,
    cast(null as varchar) as level,
    cast(null as varchar) as roles,
    cast(null as varchar) as consent_basis,
    cast(null as varchar) as departure_terms,
    cast(null as varchar) as former_contact_id,
    cast(null as boolean) as is_email_opted_out,
    cast(null as boolean) as is_deleted,
    cast(null as varchar) as merged_into_contact_id,
    cast(null as timestamptz) as created_at
where false
