select
    cast(null as date) as month,
    cast(null as varchar) as function,
    cast(null as varchar) as purpose,
    cast(null as decimal(18,2)) as cost_usd,
    cast(null as double) as headcount
where false
