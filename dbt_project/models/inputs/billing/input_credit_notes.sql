select
    cast(null as varchar) as credit_note_id,
    cast(null as varchar) as invoice_id,
    cast(null as varchar) as billing_customer_id,
    cast(null as decimal(18,2)) as amount,
    cast(null as varchar) as currency,
    cast(null as varchar) as reason,
    cast(null as timestamptz) as issued_at
where false
