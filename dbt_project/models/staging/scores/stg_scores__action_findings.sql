with

finished_loads as (
    {{ read_finished_loads('scores') }}
),

findings as (
    select landed.*
    from {{ source('scores', 'action_findings') }} as landed
    inner join finished_loads on landed._dlt_load_id = finished_loads.load_id
    where landed.as_of <= {{ as_of_date() }}
)

-- A quarter is found once; should a load have been landed twice, the first one stands.
select
    as_of,
    action,
    window_days,
    segment,
    final_from_on,
    renewals_with,
    renewals_without,
    renewals_unknown,
    renewed_with,
    renewed_without,
    renewal_rate_with,
    renewal_rate_without,
    lift,
    odds_ratio,
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
            partition by findings.as_of, findings.action, findings.window_days, findings.segment
            order by findings._dlt_load_id
        ) as _recency
    from findings
) as ranked
where _recency = 1
