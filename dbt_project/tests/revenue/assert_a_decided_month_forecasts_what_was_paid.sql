{{ config(meta={'dagster': {'ref': {'name': 'renewal_calendar'}}}) }}

-- Where nothing is left to decide the forecast with expansion is what is paid since.
with

paid as (
    select
        due_month,
        coalesce(segment, '(unknown)') as segment,
        coalesce(attention_band, '(none)') as attention_band,
        sum(case when is_renewed then renewed_arr_usd else 0 end) as paid_arr_usd
    from {{ ref('renewals') }}
    group by due_month, coalesce(segment, '(unknown)'), coalesce(attention_band, '(none)')
)

select
    calendar.due_month,
    calendar.segment,
    calendar.attention_band,
    calendar.forecast_arr_after_usd,
    paid.paid_arr_usd
from {{ ref('renewal_calendar') }} as calendar
inner join paid
    on
        calendar.due_month = paid.due_month
        and calendar.segment = paid.segment
        and calendar.attention_band = paid.attention_band
where
    calendar.terms_undecided = 0
    and calendar.forecast_arr_after_usd <> coalesce(paid.paid_arr_usd, 0)
