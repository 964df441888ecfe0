select
    cast(null as varchar) as employee_objective_id,
    cast(null as varchar) as employee_id,
    cast(null as varchar) as objective_type,
    cast(null as date) as period_start_on,
    cast(null as date) as period_end_on,
    cast(null as double) as target,
    cast(null as varchar) as account_id
where false
