select
    cast(null as varchar) as campaign_id,
    cast(null as varchar) as name,
    cast(null as varchar) as campaign_type,
    cast(null as varchar) as audience,
    cast(null as date) as started_on,
    cast(null as date) as ended_on,
    cast(null as decimal(18,2)) as actual_cost_usd
where false
