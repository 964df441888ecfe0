{# Cohorts are cut by month, by year and not at all; by segment and origin, one of them or neither. A month of one
   segment and origin seldom has twenty accounts; a year mostly has. #}
{% set cuts = [
    ('month', true, true), ('month', false, false),
    ('year', true, true), ('year', true, false), ('year', false, true), ('year', false, false),
    ('ever', true, true), ('ever', true, false), ('ever', false, true), ('ever', false, false),
] %}
with

account_months as (
    select
        account_id,
        month_end_on,
        cohort_month,
        coalesce(segment, '(unknown)') as segment,
        coalesce(acquisition_origin, '(unknown)') as acquisition_origin,
        tenure_months as tenure_month,
        closing_mrr_usd,
        churn_usd,
        is_paying
    from {{ ref('fct_account_months') }}
    where tenure_months is not null
),

assumptions as (
    select
        segment,
        valid_from,
        gross_margin_rate
    from {{ ref('value_assumptions') }}
),

margins as (
    select
        segment,
        gross_margin_rate,
        row_number() over (partition by segment order by valid_from desc) as newest_rank
    from assumptions
    where valid_from <= {{ as_of_date() }}
),

lives as (
    select
        account_id,
        max(tenure_month) as last_tenure_month,
        -- The first departure ends a life; a pause does not, and who comes back is a new story.
        min(case when churn_usd > 0 then tenure_month end) as churn_tenure_month,
        max(case when tenure_month = 0 then closing_mrr_usd end) as first_mrr_usd
    from account_months
    group by account_id
),

followed as (
    select
        account_months.account_id,
        account_months.cohort_month,
        account_months.segment,
        account_months.acquisition_origin,
        account_months.tenure_month,
        account_months.closing_mrr_usd,
        least(account_months.closing_mrr_usd, lives.first_mrr_usd) as kept_mrr_usd,
        lives.first_mrr_usd,
        account_months.closing_mrr_usd * cast(margins.gross_margin_rate as decimal(9, 6)) as gross_profit_usd,
        case when account_months.is_paying then 1 else 0 end as is_paying,
        -- At risk in a month: still there when it began.
        case
            when lives.churn_tenure_month is null or account_months.tenure_month <= lives.churn_tenure_month then 1
            else 0
        end as is_at_risk,
        case when account_months.tenure_month = lives.churn_tenure_month then 1 else 0 end as has_churned
    from account_months
    inner join lives on account_months.account_id = lives.account_id
    left join margins on account_months.segment = margins.segment and margins.newest_rank = 1
),

members as (
    {%- for level, by_segment, by_origin in cuts %}
    select
        '{{ level }}' as cohort_level,
        {% if level == 'month' -%}
        cohort_month,
        {%- elif level == 'year' -%}
        cast(extract(year from cohort_month) || '-12-31' as date) as cohort_month,
        {%- else -%}
        cast('9999-12-31' as date) as cohort_month,
        {%- endif %}
        {{ 'segment' if by_segment else "'(all)'" }} as segment,
        {{ 'acquisition_origin' if by_origin else "'(all)'" }} as acquisition_origin,
        tenure_month,
        sum(is_at_risk) as at_risk,
        sum(has_churned) as churned,
        sum(is_paying) as paying_logos,
        count(*) as observed_logos,
        sum(closing_mrr_usd) as mrr_usd,
        sum(kept_mrr_usd) as kept_mrr_usd,
        sum(first_mrr_usd) as first_mrr_usd,
        sum(gross_profit_usd) as gross_profit_usd
    from followed
    group by 1, 2, 3, 4, 5
    {{ 'union all' if not loop.last }}
    {%- endfor %}
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
        sum(case when churned < at_risk then ln(1 - churned * 1.0 / at_risk) else 0 end) over cohort_so_far
            as log_survival,
        -- Once everybody at risk has left, nobody survives whatever comes after.
        max(case when at_risk > 0 and churned = at_risk then 1 else 0 end) over cohort_so_far as is_extinct,
        sum(
            case
                when churned < at_risk
                    then churned * 1.0 / (cast(at_risk as double) * (at_risk - churned))
                else 0
            end
        ) over cohort_so_far as greenwood_sum,
        -- Of accounts of different age, only those old enough are in a tenure month: profit is counted per logo seen.
        sum(cast(gross_profit_usd as double) / observed_logos) over cohort_so_far as gross_profit_per_logo_usd
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
        case when is_extinct = 1 then 0.0 else exp(log_survival) * sqrt(greenwood_sum) end as survival_error
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
    {{ stable('cast(mrr_usd as double) / nullif(cast(first_mrr_usd as double), 0)') }} as nrr_index,
    {{ stable('cast(kept_mrr_usd as double) / nullif(cast(first_mrr_usd as double), 0)') }} as grr_index,
    cast(gross_profit_usd as decimal(18, 2)) as gross_profit_usd,
    cast(gross_profit_per_logo_usd as decimal(18, 2)) as cumulative_gross_profit_per_logo_usd,
    -- Few accounts make a curve that tells stories about single ones.
    cohort_size >= 20 as is_reportable
from estimated
