select
    cast(null as varchar) as case_id,
    cast(null as varchar) as account_id,
    cast(null as varchar) as contact_id,
    cast(null as varchar) as case_type,
    cast(null as varchar) as priority,
    cast(null as varchar) as status,
    cast(null as timestamptz) as opened_at,
    cast(null as timestamptz) as first_response_at,
    cast(null as timestamptz) as closed_at,
    cast(null as double) as csat_score,
    cast(null as bigint) as handoffs,
    cast(null as boolean) as is_bug_confirmed,
    cast(null as timestamptz) as known_at
where false
