select
    cast(null as varchar) as story_request_id,
    cast(null as varchar) as format,
    cast(null as varchar) as requested_by_id,
    cast(null as date) as requested_on,
    cast(null as date) as fulfilled_on,
    cast(null as varchar) as account_id
where false
