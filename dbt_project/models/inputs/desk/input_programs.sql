select
    cast(null as varchar) as program_id,
    cast(null as varchar) as program_name,
    cast(null as varchar) as program_type,
    cast(null as varchar) as predicted_action,
    cast(null as date) as started_on,
    cast(null as date) as ended_on,
    cast(null as decimal(18,2)) as cost_usd,
    cast(null as boolean) as is_randomised
where false
