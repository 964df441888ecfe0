select
    cast(null as varchar) as trigger_event_id,
    cast(null as varchar) as account_id,
    cast(null as varchar) as trigger_type,
    cast(null as date) as occurred_on,
    cast(null as varchar) as source,
    cast(null as timestamptz) as known_at
where false
