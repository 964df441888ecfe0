select
    cast(null as varchar) as invoice_id,
    cast(null as varchar) as billing_customer_id,
    cast(null as varchar) as account_id,
    cast(null as varchar) as subscription_id,
    cast(null as varchar) as status,
    cast(null as varchar) as billing_reason,
    cast(null as varchar) as currency,
    cast(null as decimal(18,2)) as subtotal,
    cast(null as decimal(18,2)) as total,
    cast(null as decimal(18,2)) as amount_due,
    cast(null as decimal(18,2)) as amount_paid,
    cast(null as timestamptz) as issued_at,
    cast(null as timestamptz) as due_at,
    cast(null as timestamptz) as paid_at,
    cast(null as bigint) as attempt_count,
    cast(null as timestamptz) as known_at
where false
