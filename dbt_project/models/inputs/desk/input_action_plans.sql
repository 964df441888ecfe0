select
    cast(null as varchar) as action_plan_id,
    cast(null as varchar) as account_id,
    cast(null as varchar) as owner_id,
    cast(null as varchar) as plan_type,
    cast(null as date) as opened_on,
    cast(null as date) as due_on,
    cast(null as date) as closed_on,
    cast(null as varchar) as status,
    cast(null as varchar) as outcome,
    cast(null as decimal(18,2)) as cost_usd,
    cast(null as timestamptz) as known_at
where false
