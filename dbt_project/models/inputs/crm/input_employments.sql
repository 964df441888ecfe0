select
    cast(null as varchar) as employment_id,
    cast(null as varchar) as contact_id,
    cast(null as varchar) as account_id,
    cast(null as varchar) as title,
    cast(null as varchar) as level,
    cast(null as varchar) as roles,
    cast(null as date) as started_on,
    cast(null as date) as ended_on,
    cast(null as timestamptz) as known_at
where false
