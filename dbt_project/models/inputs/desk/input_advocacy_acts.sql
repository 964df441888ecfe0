select
    cast(null as varchar) as advocacy_act_id,
    cast(null as varchar) as account_id,
    cast(null as varchar) as contact_id,
    cast(null as varchar) as act_type,
    cast(null as date) as occurred_on,
    cast(null as varchar) as opportunity_id,
    cast(null as timestamptz) as known_at
where false
