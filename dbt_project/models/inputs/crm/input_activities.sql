select
    cast(null as varchar) as activity_id,
    cast(null as varchar) as account_id,
    cast(null as varchar) as opportunity_id,
    cast(null as varchar) as employee_id,
    cast(null as varchar) as activity_type,
    cast(null as timestamptz) as event_at,
    cast(null as timestamptz) as known_at,
    cast(null as bigint) as duration_minutes,
    cast(null as boolean) as is_two_way,
    cast(null as date) as acknowledged_on
where false
