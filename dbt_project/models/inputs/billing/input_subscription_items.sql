select
    cast(null as varchar) as subscription_item_id,
    cast(null as varchar) as subscription_id,
    cast(null as varchar) as price_id,
    cast(null as varchar) as plan_id,
    cast(null as bigint) as quantity,
    cast(null as timestamptz) as valid_from,
    cast(null as timestamptz) as valid_to,
    cast(null as timestamptz) as known_at
where false
