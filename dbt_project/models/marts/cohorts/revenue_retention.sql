{% set movements = movement_types() %}
{% set line_usd = 'cast(lines.amount - coalesce(lines.discount_amount, 0) as double)'
    ~ ' * coalesce(rates.usd_per_unit, 1)' %}

with

account_months as (
    select
        account_id,
        month_end_on,
        coalesce(segment, '(unknown)') as segment,
        coalesce(region, '(unknown)') as region,
        opening_mrr_usd,
        {%- for movement in movements %}
            {{ movement }}_usd,
        {%- endfor %}
        closing_mrr_usd,
        tenure_months,
        is_paying,
        -- The spine has a row for every month from the first contract on, so twelve rows back is a
        -- year back.
        lag(closing_mrr_usd, 12)
            over (partition by account_id order by month_end_on)
            as mrr_before_usd,
        sum(churn_usd + contraction_usd) over (
            partition by account_id
            order by month_end_on
            rows between 11 preceding and current row
        ) as walked_out_12m_usd
    from {{ ref('fct_account_months') }}
),

renewals as (
    select
        due_month,
        coalesce(segment, '(unknown)') as segment,
        coalesce(region, '(unknown)') as region,
        due_arr_usd,
        kept_arr_usd,
        is_renewed,
        is_lost
    from {{ ref('renewals') }}
),

invoices as (
    select
        invoice_id,
        account_id,
        {{ month_end(utc_date('issued_at')) }} as month_end_on,
        currency
    from {{ ref('input_invoices') }}
    where status in ('open', 'paid', 'uncollectible')
),

lines as (
    select
        invoice_id,
        amount,
        discount_amount,
        is_one_off
    from {{ ref('input_invoice_lines') }}
),

rates as (
    select
        currency,
        usd_per_unit
    from {{ ref('input_fx_rates') }}
    where is_reference
),

accounts as (
    select
        links.source_account_id,
        coalesce(accounts.segment, '(unknown)') as segment,
        coalesce(accounts.region, '(unknown)') as region
    from {{ ref('int_account_map') }} as links
    inner join {{ ref('dim_accounts') }} as accounts on links.account_id = accounts.account_id
    where not links.is_test
),

months as (
    select
        month_end_on as month,
        segment,
        region,
        sum(opening_mrr_usd) as opening_mrr_usd,
        {%- for movement in movements %}
            sum({{ movement }}_usd) as {{ movement }}_usd,
        {%- endfor %}
        sum(closing_mrr_usd) as closing_mrr_usd,
        count(case when is_paying then 1 end) as paying_accounts,
        count(case when new_usd > 0 and opening_mrr_usd = 0 then 1 end) as new_accounts,
        count(case when churn_usd > 0 and closing_mrr_usd = 0 then 1 end) as churned_accounts,
        count(case when reactivation_usd > 0 then 1 end) as reactivated_accounts,
        sum(case when mrr_before_usd > 0 then mrr_before_usd else 0 end) as base_mrr_12m_usd,
        sum(case when mrr_before_usd > 0 then closing_mrr_usd else 0 end) as now_mrr_12m_usd,
        sum(case when mrr_before_usd > 0 then least(closing_mrr_usd, mrr_before_usd) else 0 end)
            as kept_mrr_12m_usd,
        count(case when mrr_before_usd > 0 then 1 end) as base_accounts_12m,
        count(case when mrr_before_usd > 0 and closing_mrr_usd = 0 then 1 end) as lost_accounts_12m,
        sum(walked_out_12m_usd) as walked_out_12m_usd,
        sum(case when tenure_months >= 60 then closing_mrr_usd else 0 end) as mrr_from_5y_plus_usd,
        sum(case when tenure_months >= 120 then closing_mrr_usd else 0 end) as mrr_from_10y_plus_usd
    from account_months
    group by month_end_on, segment, region
),

decided as (
    select
        due_month,
        segment,
        region,
        sum(due_arr_usd) as renewal_arr_due_usd,
        sum(kept_arr_usd) as renewal_arr_usd
    from renewals
    where is_renewed or is_lost
    group by due_month, segment, region
),

billed as (
    select
        invoices.month_end_on,
        accounts.segment,
        accounts.region,
        sum({{ exact(line_usd, 6) }}) as billed_usd,
        sum(
            case
                when coalesce(lines.is_one_off, false) then 0 else {{ exact(line_usd, 6) }}
            end
        ) as billed_recurring_usd
    from invoices
    inner join lines on invoices.invoice_id = lines.invoice_id
    inner join accounts on invoices.account_id = accounts.source_account_id
    left join rates on invoices.currency = rates.currency
    group by invoices.month_end_on, accounts.segment, accounts.region
),

-- The first December with revenue is the year that growth is told against.
base_years as (
    select
        segment,
        region,
        month as base_month,
        closing_mrr_usd as base_mrr_usd,
        row_number() over (partition by segment, region order by month) as first_rank
    from months
    where extract(month from month) = 12 and closing_mrr_usd > 0
)

select
    months.month,
    months.segment,
    months.region,
    {%- for amount in ['opening_mrr'] + movements + ['closing_mrr'] %}
        cast(months.{{ amount }}_usd as decimal(18, 2)) as {{ amount }}_usd,
    {%- endfor %}
    cast(12 * months.closing_mrr_usd as decimal(18, 2)) as closing_arr_usd,
    months.paying_accounts,
    months.new_accounts,
    months.churned_accounts,
    months.reactivated_accounts,
    cast(months.base_mrr_12m_usd as decimal(18, 2)) as base_mrr_12m_usd,
    cast(months.now_mrr_12m_usd as decimal(18, 2)) as now_mrr_12m_usd,
    cast(months.kept_mrr_12m_usd as decimal(18, 2)) as kept_mrr_12m_usd,
    months.base_accounts_12m,
    months.lost_accounts_12m,
    {{ share_of('months.now_mrr_12m_usd', 'months.base_mrr_12m_usd') }}
        as nrr_12m_rate,
    {{ share_of('months.kept_mrr_12m_usd', 'months.base_mrr_12m_usd') }}
        as grr_12m_rate,
    {{ share_of('months.lost_accounts_12m', 'months.base_accounts_12m') }}
        as logo_churn_12m_rate,
    cast(12 * (months.churn_usd + months.contraction_usd) as decimal(18, 2)) as arr_walked_out_usd,
    cast(12 * months.walked_out_12m_usd as decimal(18, 2)) as arr_walked_out_12m_usd,
    {{ share_of('months.walked_out_12m_usd', 'months.base_mrr_12m_usd') }}
        as arr_walked_out_12m_share,
    cast(12 * months.mrr_from_5y_plus_usd as decimal(18, 2)) as arr_from_5y_plus_usd,
    cast(12 * months.mrr_from_10y_plus_usd as decimal(18, 2)) as arr_from_10y_plus_usd,
    {{ share_of('months.mrr_from_5y_plus_usd', 'months.closing_mrr_usd') }}
        as arr_from_5y_plus_share,
    {{ share_of('months.mrr_from_10y_plus_usd', 'months.closing_mrr_usd') }}
        as arr_from_10y_plus_share,
    cast(12 * months.new_usd as decimal(18, 2)) as new_arr_usd,
    cast(decided.renewal_arr_due_usd as decimal(18, 2)) as renewal_arr_due_usd,
    cast(decided.renewal_arr_usd as decimal(18, 2)) as renewal_arr_usd,
    {{ share_of(
        'months.expansion_usd + months.reactivation_usd',
        'months.new_usd + months.expansion_usd + months.reactivation_usd'
    ) }} as growth_from_existing_share,
    {{ stable('billed.billed_recurring_usd / nullif(billed.billed_usd, 0)') }}
        as recurring_revenue_share,
    {{ stable('cast(months.closing_mrr_usd as double) / cast(base_years.base_mrr_usd as double)') }}
        as arr_multiple_of_first_year,
    {{ stable(
        'case when months.month > base_years.base_month and months.closing_mrr_usd > 0 then '
        ~ 'power(cast(months.closing_mrr_usd as double)'
        ~ ' / cast(base_years.base_mrr_usd as double), 12.0 / '
        ~ months_between('base_years.base_month', 'months.month') ~ ') - 1 end'
    ) }} as arr_growth_yearly_rate
from months
left join decided
    on
        months.month = decided.due_month
        and months.segment = decided.segment
        and months.region = decided.region
left join billed
    on
        months.month = billed.month_end_on
        and months.segment = billed.segment
        and months.region = billed.region
left join base_years
    on
        months.segment = base_years.segment
        and months.region = base_years.region
        and base_years.first_rank = 1
