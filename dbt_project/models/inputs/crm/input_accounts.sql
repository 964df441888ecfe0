select
    cast(null as varchar) as account_id,
    cast(null as varchar) as name,
    cast(null as varchar) as segment,
    cast(null as varchar) as region,
    cast(null as varchar) as country,
    cast(null as varchar) as industry,
    cast(null as bigint) as employee_count,
    cast(null as varchar) as acquisition_origin,
    cast(null as varchar) as owner_id,
    cast(null as varchar) as parent_account_id,
    cast(null as varchar) as displaced_competitor_id,
    cast(null as varchar) as billing_customer_id,
    cast(null as varchar) as workspace_id,
    cast(null as boolean) as is_test,
    cast(null as boolean) as is_deleted,
    cast(null as timestamptz) as created_at
where false
