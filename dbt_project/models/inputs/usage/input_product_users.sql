select
    cast(null as varchar) as product_user_id,
    cast(null as varchar) as workspace_id,
    cast(null as varchar) as account_id,
    cast(null as varchar) as contact_id,
    cast(null as date) as first_seen_on,
    cast(null as date) as last_seen_on
where false
