select
    events.trigger_event_id,
    accounts.account_id,
    events.occurred_on,
    events.known_at,
    events.trigger_type,
    events.source,
    cast({{ dbt.datediff('events.occurred_on', 'cast(events.known_at as date)', 'day') }} as bigint)
        as discovery_days
from {{ ref('input_trigger_events') }} as events
left join {{ ref('int_account_map') }} as accounts on events.account_id = accounts.source_account_id
where not coalesce(accounts.is_test, false)
