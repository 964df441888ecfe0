select
    cast(null as varchar) as workspace_id,
    cast(null as date) as month,
    cast(null as bigint) as active_users,
    cast(null as bigint) as events,
    cast(null as bigint) as features_used,
    cast(null as bigint) as licences
where false
