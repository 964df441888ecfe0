select
    cast(null as varchar) as plan_id,
    cast(null as varchar) as plan_name,
    cast(null as varchar) as plan_family,
    cast(null as timestamptz) as created_at
where false
