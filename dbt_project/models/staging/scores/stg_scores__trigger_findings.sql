with

finished_loads as (
    {{ read_finished_loads('scores') }}
),

findings as (
    select landed.*
    from {{ source('scores', 'trigger_findings') }} as landed
    inner join finished_loads on landed._dlt_load_id = finished_loads.load_id
    where landed.as_of <= {{ as_of_date() }}
)

-- A quarter is found once; should a load have been landed twice, the first one stands.
select
    as_of,
    trigger_type,
    outcome,
    window_days,
    windows,
    accounts,
    days_after,
    days_control,
    outcomes_after,
    outcomes_control,
    rate_after,
    rate_control,
    rate_ratio,
    low,
    high,
    p_value,
    q_value,
    is_associated,
    refusal,
    found_on
from (
    select
        findings.*,
        row_number() over (
            partition by findings.as_of, findings.trigger_type, findings.outcome
            order by findings._dlt_load_id
        ) as _recency
    from findings
) as ranked
where _recency = 1
