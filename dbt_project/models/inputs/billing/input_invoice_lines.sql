select
    cast(null as varchar) as invoice_line_id,
    cast(null as varchar) as invoice_id,
    cast(null as varchar) as subscription_id,
    cast(null as varchar) as subscription_item_id,
    cast(null as varchar) as price_id,
    cast(null as bigint) as quantity,
    cast(null as decimal(18,2)) as amount,
    cast(null as decimal(18,2)) as discount_amount,
    cast(null as timestamptz) as period_start_at,
    cast(null as timestamptz) as period_end_at,
    cast(null as boolean) as is_proration,
    cast(null as boolean) as is_one_off
where false
