with

members as (
    select
        cohort_level,
        cohort_month,
        segment,
        acquisition_origin,
        tenure_month,
        at_risk,
        churned,
        paying_logos,
        observed_logos,
        mrr_usd,
        kept_mrr_usd,
        first_mrr_usd,
        gross_profit_usd
    from {{ ref('int_cohort_months') }}
),

curves as (
    select
        cohort_level,
        cohort_month,
        segment,
        acquisition_origin,
        tenure_month,
        max(observed_logos) over cohort_so_far as cohort_size,
        at_risk,
        churned,
        paying_logos,
        observed_logos,
        mrr_usd,
        kept_mrr_usd,
        first_mrr_usd,
        gross_profit_usd,
        sum(case when churned < at_risk then ln(1 - churned * 1.0 / at_risk) else 0 end)
            over cohort_so_far
            as log_survival,
        -- Once everybody at risk has left, nobody survives whatever comes after.
        max(case when at_risk > 0 and churned = at_risk then 1 else 0 end)
            over cohort_so_far
            as is_extinct,
        sum(
            case
                when churned < at_risk
                    then churned * 1.0 / (cast(at_risk as double) * (at_risk - churned))
                else 0
            end
        ) over cohort_so_far as greenwood_sum,
        -- Of accounts of different age, only those old enough are in a tenure month: profit is
        -- counted per logo seen.
        sum(cast(gross_profit_usd as double) / observed_logos)
            over cohort_so_far
            as gross_profit_per_logo_usd
    from members
    window cohort_so_far as (
        partition by cohort_level, cohort_month, segment, acquisition_origin
        order by tenure_month
        rows between unbounded preceding and current row
    )
),

estimated as (
    select
        cohort_level,
        cohort_month,
        segment,
        acquisition_origin,
        tenure_month,
        cohort_size,
        at_risk,
        churned,
        paying_logos,
        observed_logos,
        mrr_usd,
        kept_mrr_usd,
        first_mrr_usd,
        gross_profit_usd,
        gross_profit_per_logo_usd,
        case when is_extinct = 1 then 0.0 else exp(log_survival) end as survival,
        case when is_extinct = 1 then 0.0 else exp(log_survival) * sqrt(greenwood_sum) end
            as survival_error
    from curves
)

select
    cohort_level,
    case when cohort_level <> 'ever' then cohort_month end as cohort_month,
    segment,
    acquisition_origin,
    cast(tenure_month as bigint) as tenure_month,
    cast(cohort_size as bigint) as cohort_size,
    cast(observed_logos as bigint) as observed_logos,
    cast(at_risk as bigint) as logos_at_risk,
    cast(churned as bigint) as logos_churned,
    cast(paying_logos as bigint) as logos_paying,
    cast(mrr_usd as decimal(18, 2)) as mrr_usd,
    {{ stable('survival') }} as survival_rate,
    {{ stable('greatest(survival - 1.959963985 * survival_error, 0.0)') }} as survival_low_rate,
    {{ stable('least(survival + 1.959963985 * survival_error, 1.0)') }} as survival_high_rate,
    {{ share_of('mrr_usd', 'first_mrr_usd') }} as nrr_index,
    {{ share_of('kept_mrr_usd', 'first_mrr_usd') }}
        as grr_index,
    cast(gross_profit_usd as decimal(18, 2)) as gross_profit_usd,
    cast(gross_profit_per_logo_usd as decimal(18, 2)) as cumulative_gross_profit_per_logo_usd,
    -- Few accounts make a curve that tells stories about single ones.
    cohort_size >= 20 as is_reportable
from estimated
