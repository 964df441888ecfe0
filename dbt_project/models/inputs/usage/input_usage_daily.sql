select
    cast(null as varchar) as workspace_id,
    cast(null as varchar) as product_user_id,
    cast(null as date) as usage_on,
    cast(null as varchar) as feature_id,
    cast(null as bigint) as events,
    cast(null as timestamptz) as known_through
where false
