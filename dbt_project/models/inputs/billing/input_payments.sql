select
    cast(null as varchar) as payment_id,
    cast(null as varchar) as billing_customer_id,
    cast(null as varchar) as invoice_id,
    cast(null as decimal(18,2)) as amount,
    cast(null as decimal(18,2)) as amount_refunded,
    cast(null as varchar) as currency,
    cast(null as varchar) as status,
    cast(null as boolean) as is_disputed,
    cast(null as varchar) as failure_code,
    cast(null as timestamptz) as paid_at
where false
