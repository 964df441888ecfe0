select
    cast(null as varchar) as incentive_id,
    cast(null as varchar) as function,
    cast(null as varchar) as metric,
    cast(null as double) as weight,
    cast(null as date) as valid_from,
    cast(null as date) as valid_to
where false
