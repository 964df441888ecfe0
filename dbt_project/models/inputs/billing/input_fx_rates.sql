select
    cast(null as varchar) as currency,
    cast(null as date) as valid_from,
    cast(null as double) as usd_per_unit,
    cast(null as boolean) as is_reference
where false
