{{ config(materialized='table') }}

-- Summed over loads, so that how deliveries were cut into loads changes nothing.
with received as (
    select
        load_days.event_on,
        load_days.received_on,
        cast(sum(load_days.row_count) as bigint) as deliveries
    from {{ source('usage', 'load_days') }} as load_days
    inner join {{ ref('stg_lake__finished_loads') }} as finished_loads
        on
            load_days._dlt_load_id = finished_loads.load_id
            and finished_loads.source_name = 'usage'
    where
        load_days.event_on <= {{ as_of_date() }}
        and load_days.received_on <= {{ as_of_date() }}
    group by load_days.event_on, load_days.received_on
),

days as (
    select
        event_on,
        cast(sum(deliveries) as bigint) as deliveries
    from received
    group by event_on
),

-- What a day holds depends on its neighbours too: a message may have come under either.
seen as (
    {%- for offset in (-1, 0, 1) %}
        select
            {{ days_after('event_on', offset) }} as event_on,
            event_on as delivered_for,
            received_on,
            deliveries
        from received
        {{ 'union all' if not loop.last }}
    {%- endfor %}
),

versions as (
    select
        event_on,
        md5({{ dbt.listagg(
            measure="cast(delivered_for as varchar) || ' ' || cast(received_on as varchar)"
            ~ " || ' ' || cast(deliveries as varchar)",
            delimiter_text="','",
            order_by_clause="order by delivered_for, received_on",
        ) }}) as day_version
    from seen
    group by event_on
)

select
    days.event_on,
    versions.day_version,
    days.deliveries
from days
inner join versions on days.event_on = versions.event_on
