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
)

select
    event_on,
    md5({{ dbt.listagg(
        measure="cast(received_on as varchar) || ' ' || cast(deliveries as varchar)",
        delimiter_text="','",
        order_by_clause="order by received_on",
    ) }}) as day_version,
    cast(sum(deliveries) as bigint) as deliveries
from received
group by event_on
