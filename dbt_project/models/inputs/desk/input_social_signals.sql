select
    cast(null as varchar) as social_signal_id,
    cast(null as varchar) as account_id,
    cast(null as varchar) as contact_id,
    cast(null as varchar) as signal_type,
    cast(null as varchar) as competitor_id,
    cast(null as date) as occurred_on,
    cast(null as timestamptz) as known_at
where false
