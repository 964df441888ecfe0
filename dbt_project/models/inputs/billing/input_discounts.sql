select
    cast(null as varchar) as discount_id,
    cast(null as varchar) as coupon_id,
    cast(null as varchar) as billing_customer_id,
    cast(null as varchar) as subscription_id,
    cast(null as varchar) as subscription_item_id,
    cast(null as double) as percent_off,
    cast(null as decimal(18,2)) as amount_off,
    cast(null as varchar) as currency,
    cast(null as varchar) as duration,
    cast(null as timestamptz) as starts_at,
    cast(null as timestamptz) as ends_at
where false
