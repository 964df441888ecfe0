with

finished_loads as (
    {{ read_finished_loads('scores') }}
),

multiples as (
    select landed.*
    from {{ source('scores', 'arr_multiple_history') }} as landed
    inner join finished_loads on landed._dlt_load_id = finished_loads.load_id
    where landed.as_of <= {{ as_of_date() }}
)

-- The scorer appends a key once; should a load have been landed twice, the first one stands.
select
    head,
    model_version,
    as_of,
    account_id,
    multiple,
    low,
    high,
    serves,
    is_backfill,
    training_cutoff_on
from (
    select
        multiples.*,
        row_number() over (
            partition by
                multiples.head, multiples.as_of, multiples.account_id, multiples.is_backfill
            order by multiples._dlt_load_id, multiples.model_version
        ) as _recency
    from multiples
) as ranked
where _recency = 1
