with

events as (
    select
        trigger_event_id,
        account_id,
        occurred_on,
        known_at,
        cast(known_at as date) as known_on,
        trigger_type,
        source
    from {{ ref('input_trigger_events') }}
)

select
    events.trigger_event_id,
    accounts.account_id,
    events.occurred_on,
    events.known_at,
    events.trigger_type,
    events.source,
    cast(
        {{ dbt.datediff('occurred_on', 'known_on', 'day') }}
        as bigint
    ) as discovery_days
from events
left join {{ ref('int_account_map') }} as accounts
    on events.account_id = accounts.source_account_id
where not coalesce(accounts.is_test, false)
