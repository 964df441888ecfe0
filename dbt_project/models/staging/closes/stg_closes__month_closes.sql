with

finished_loads as (
    {{ read_finished_loads('closes') }}
),

closes as (
    select landed.*
    from {{ source('closes', 'month_closes') }} as landed
    inner join finished_loads on landed._dlt_load_id = finished_loads.load_id
    where landed.closed_on <= {{ as_of_date() }}
),

-- A month is closed once; should it have been landed twice, the first close stands.
firsts as (
    select
        month,
        min(_dlt_load_id) as load_id
    from closes
    group by month
)

select
    closes.account_id,
    closes.month,
    closes.closed_on,
    closes.basis,
    closes.opening_mrr_usd,
    closes.new_usd,
    closes.reactivation_usd,
    closes.expansion_usd,
    closes.contraction_usd,
    closes.churn_usd,
    closes.pause_out_usd,
    closes.pause_in_usd,
    closes.merge_transfer_usd,
    closes.closing_mrr_usd,
    closes.mrr_12m_before_usd
from closes
inner join firsts on closes.month = firsts.month and closes._dlt_load_id = firsts.load_id
