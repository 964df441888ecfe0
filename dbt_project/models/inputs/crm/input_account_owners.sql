select
    cast(null as varchar) as account_id,
    cast(null as varchar) as employee_id,
    cast(null as date) as owned_from,
    cast(null as date) as owned_to,
    cast(null as timestamptz) as known_at
where false
