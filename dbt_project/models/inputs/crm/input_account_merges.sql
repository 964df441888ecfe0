select
    cast(null as varchar) as losing_account_id,
    cast(null as varchar) as surviving_account_id,
    cast(null as timestamptz) as merged_at,
    cast(null as timestamptz) as known_at
where false
