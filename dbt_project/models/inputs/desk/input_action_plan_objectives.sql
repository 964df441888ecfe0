select
    cast(null as varchar) as objective_id,
    cast(null as varchar) as action_plan_id,
    cast(null as varchar) as name,
    cast(null as date) as due_on,
    cast(null as date) as done_on,
    cast(null as timestamptz) as known_at
where false
