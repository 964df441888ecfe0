select
    cast(null as varchar) as price_id,
    cast(null as varchar) as plan_id,
    cast(null as varchar) as currency,
    cast(null as decimal(28,12)) as unit_amount,
    cast(null as varchar) as interval,
    cast(null as bigint) as interval_count,
    cast(null as varchar) as usage_type,
    cast(null as varchar) as billing_scheme,
    cast(null as varchar) as tiers_mode,
    cast(null as varchar) as tiers
where false
