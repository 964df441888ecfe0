select
    cast(null as varchar) as risk_assessment_id,
    cast(null as varchar) as account_id,
    cast(null as varchar) as employee_id,
    cast(null as date) as assessed_on,
    cast(null as double) as sign_today_share,
    cast(null as varchar) as justification_type,
    cast(null as timestamptz) as known_at
where false
