select
    cast(null as varchar) as campaign_id,
    cast(null as varchar) as contact_id,
    cast(null as varchar) as status,
    cast(null as boolean) as has_responded,
    cast(null as timestamptz) as responded_at,
    cast(null as timestamptz) as known_at
where false
