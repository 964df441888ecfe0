{# Cohorts are cut by month, by year and not at all; by segment and origin, one of them or
   neither. A month of one segment and origin seldom has twenty accounts; a year mostly has. #}
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
        min(case when churn_usd > 0 and closing_mrr_usd = 0 then tenure_month end)
            as churn_tenure_month,
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
        account_months.closing_mrr_usd
        * cast(margins.gross_margin_rate as decimal(9, 6)) as gross_profit_usd,
        case when account_months.is_paying then 1 else 0 end as is_paying,
        -- At risk in a month: still there when it began.
        case
            when
                lives.churn_tenure_month is null
                or account_months.tenure_month <= lives.churn_tenure_month
                then 1
            else 0
        end as is_at_risk,
        case when account_months.tenure_month = lives.churn_tenure_month then 1 else 0 end
            as has_churned
    from account_months
    inner join lives on account_months.account_id = lives.account_id
    left join margins on account_months.segment = margins.segment and margins.newest_rank = 1
),

cuts as (
    {%- for level, by_segment, by_origin in cuts %}
        select
            '{{ level }}' as cohort_level,
            {{ by_segment }} as is_by_segment,
            {{ by_origin }} as is_by_origin
        {{ 'union all' if not loop.last }}
    {%- endfor %}
),

cut as (
    select
        cuts.cohort_level,
        case cuts.cohort_level
            when 'month' then followed.cohort_month
            when 'year' then cast(extract(year from followed.cohort_month) || '-12-31' as date)
            else cast('9999-12-31' as date)
        end as cohort_month,
        case when cuts.is_by_segment then followed.segment else '(all)' end as segment,
        case when cuts.is_by_origin then followed.acquisition_origin else '(all)' end
            as acquisition_origin,
        followed.tenure_month,
        followed.is_at_risk,
        followed.has_churned,
        followed.is_paying,
        followed.closing_mrr_usd,
        followed.kept_mrr_usd,
        followed.first_mrr_usd,
        followed.gross_profit_usd
    from followed
    cross join cuts
)

select
    cohort_level,
    cohort_month,
    segment,
    acquisition_origin,
    tenure_month,
    sum(is_at_risk) as at_risk,
    sum(has_churned) as churned,
    sum(is_paying) as paying_logos,
    count(*) as observed_logos,
    sum(closing_mrr_usd) as mrr_usd,
    sum(kept_mrr_usd) as kept_mrr_usd,
    sum(first_mrr_usd) as first_mrr_usd,
    sum(gross_profit_usd) as gross_profit_usd
from cut
group by cohort_level, cohort_month, segment, acquisition_origin, tenure_month
