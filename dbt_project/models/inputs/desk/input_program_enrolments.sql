select
    cast(null as varchar) as program_id,
    cast(null as varchar) as account_id,
    cast(null as varchar) as arm,
    cast(null as date) as enrolled_on,
    cast(null as timestamptz) as known_at
where false
