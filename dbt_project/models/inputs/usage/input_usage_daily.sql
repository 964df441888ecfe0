{{ config(
    materialized='overwrite_days',
    day_column='usage_on',
    source_day_column='event_on',
    day_versions='stg_usage__event_days',
    days_around=1,
) }}

-- A message counts once, from its first receipt, however often and by however many loads it came.
with messages as (
    select
        event_on,
        message_id,
        min(workspace_id) as workspace_id,
        min(user_id) as user_id,
        min(feature) as feature,
        min(contact_id) as contact_id,
        min(received_at) as received_at
    from {{ ref('stg_usage__events') }}
    where {{ days_of_batch('event_on') }}
    group by event_on, message_id
),

-- Senders correct their clocks between tries: a message of around midnight may come again under the
-- day before or after. It belongs to the day under which it came first.
straddling as (
    select
        message_id,
        event_on,
        min(received_at) as received_at
    from {{ ref('stg_usage__events') }}
    where
        {{ days_around_batch('event_on') }}
        and message_id in (
            select events.message_id
            from {{ ref('stg_usage__events') }} as events
            where {{ days_around_batch('event_on') }}
            group by events.message_id
            having min(events.event_on) <> max(events.event_on)
        )
    group by message_id, event_on
),

repeats as (
    select
        message_id,
        event_on,
        row_number() over (
            partition by message_id order by received_at, event_on
        ) as receipt_number
    from straddling
),

counted as (
    select messages.*
    from messages
    left join repeats
        on
            messages.message_id = repeats.message_id
            and messages.event_on = repeats.event_on
            and repeats.receipt_number > 1
    where repeats.message_id is null
),

daily as (
    select
        coalesce(workspace_id, '(none)') as workspace_id,
        coalesce(user_id, '(anonymous)') as product_user_id,
        event_on as usage_on,
        coalesce(feature, '(none)') as feature_id,
        max(contact_id) as contact_id,
        count(*) as events,
        {%- for months in range(4) %}
            sum(
                case
                    when
                        {{ utc_date('received_at') }}
                        > {{ month_end(months_after('event_on', months)) }}
                        then 1
                    else 0
                end
            ) as events_after_{{ months }}m,
        {%- endfor %}
        min(received_at) as known_at,
        max(received_at) as known_through
    from counted
    group by
        coalesce(workspace_id, '(none)'),
        coalesce(user_id, '(anonymous)'),
        event_on,
        coalesce(feature, '(none)')
)

select
    daily.workspace_id,
    daily.product_user_id,
    daily.usage_on,
    daily.feature_id,
    daily.contact_id,
    daily.events,
    {%- for months in range(4) %}
        cast(daily.events_after_{{ months }}m as bigint) as events_after_{{ months }}m,
    {%- endfor %}
    daily.known_at,
    daily.known_through,
    event_days.day_version
from daily
inner join {{ ref('stg_usage__event_days') }} as event_days on daily.usage_on = event_days.event_on
