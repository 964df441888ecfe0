select
    cast(null as varchar) as activity_id,
    cast(null as varchar) as contact_id
where false
