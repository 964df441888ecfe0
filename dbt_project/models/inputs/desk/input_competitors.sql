select
    cast(null as varchar) as competitor_id,
    cast(null as varchar) as competitor_name
where false
