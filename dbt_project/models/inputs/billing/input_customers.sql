select
    cast(null as varchar) as billing_customer_id,
    cast(null as varchar) as account_id,
    cast(null as varchar) as currency,
    cast(null as boolean) as is_delinquent,
    cast(null as boolean) as is_deleted,
    cast(null as timestamptz) as created_at
where false
