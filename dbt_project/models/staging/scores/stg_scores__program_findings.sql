with

finished_loads as (
    {{ read_finished_loads('scores') }}
),

findings as (
    select landed.*
    from {{ source('scores', 'program_findings') }} as landed
    inner join finished_loads on landed._dlt_load_id = finished_loads.load_id
    where landed.as_of <= {{ as_of_date() }}
)

-- A quarter is found once; should a load have been landed twice, the first one stands.
select
    as_of,
    program_id,
    outcome_measure,
    rounds,
    treated,
    control,
    effect,
    low,
    high,
    p_value,
    naive,
    ess_treated,
    ess_control,
    overlap_share,
    worst_covariate,
    worst_smd,
    refusal,
    found_on
from (
    select
        findings.*,
        row_number() over (
            partition by findings.as_of, findings.program_id, findings.outcome_measure
            order by findings._dlt_load_id
        ) as _recency
    from findings
) as ranked
where _recency = 1
