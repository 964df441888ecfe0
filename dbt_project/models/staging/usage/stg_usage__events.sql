-- One row a delivery: the same message may have been landed by several loads.
select
    events.message_id,
    events.event_at,
    events.received_at,
    events.event_on,
    events.workspace_id,
    events.user_id,
    events.feature
from {{ source('usage', 'events') }} as events
inner join {{ ref('stg_lake__finished_loads') }} as finished_loads
    on
        events._dlt_load_id = finished_loads.load_id
        and finished_loads.source_name = 'usage'
where events.received_at < {{ as_of_end() }}
