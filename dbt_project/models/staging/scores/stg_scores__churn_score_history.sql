with

finished_loads as (
    {{ read_finished_loads('scores') }}
),

scores as (
    select landed.*
    from {{ source('scores', 'churn_score_history') }} as landed
    inner join finished_loads on landed._dlt_load_id = finished_loads.load_id
    where landed.as_of <= {{ as_of_date() }}
)

-- The scorer appends a key once; should a load have been landed twice, the first one stands.
select
    head,
    model_version,
    as_of,
    account_id,
    p_raw,
    p,
    p_low,
    p_high,
    logit,
    base_logit,
    band,
    band_version,
    percentile,
    months_to_renewal,
    arr_usd,
    reasons,
    contributions,
    serves,
    is_backfill,
    training_cutoff_on
from (
    select
        scores.*,
        row_number() over (
            partition by scores.head, scores.as_of, scores.account_id, scores.is_backfill
            order by scores._dlt_load_id, scores.model_version
        ) as _recency
    from scores
) as ranked
where _recency = 1
