select
    cast(null as varchar) as survey_response_id,
    cast(null as varchar) as account_id,
    cast(null as varchar) as contact_id,
    cast(null as varchar) as survey_type,
    cast(null as double) as score,
    cast(null as varchar) as respondent_level,
    cast(null as date) as responded_on,
    cast(null as timestamptz) as known_at
where false
