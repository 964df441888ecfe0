select
    cast(null as varchar) as workspace_id,
    cast(null as varchar) as account_id
where false
