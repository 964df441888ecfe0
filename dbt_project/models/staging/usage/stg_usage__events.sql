{%- set contact_key = var('usage_contact_key', 'crm_contact_id') -%}
-- One row a delivery: the same message may have been landed by several loads.
select
    events.message_id,
    events.event_at,
    events.received_at,
    events.event_on,
    events.workspace_id,
    events.user_id,
    events.feature,
    -- Few events name the contact, and looking for the key is cheaper than parsing every text.
    case
        when events.properties like '%"{{ contact_key }}"%'
            then {{ json_text('events.properties', contact_key) }}
    end as contact_id
from {{ source('usage', 'events') }} as events
inner join {{ ref('stg_lake__finished_loads') }} as finished_loads
    on
        events._dlt_load_id = finished_loads.load_id
        and finished_loads.source_name = 'usage'
where events.received_at < {{ as_of_end() }}
