{# Customers and price of the chart that everybody draws. #}
{% set chart_customers, chart_price = 1000, 100 %}
{# Quarters shown: of the chart, of the own future, of the own past. #}
{% set chart_quarters, own_quarters, past_quarters = 12, 120, 12 %}
with

numbers as (
    {{ thousand_numbers() }}
),

targets as (
    select
        target_growth_rate,
        row_number() over (order by valid_from desc) as newest_rank
    from {{ ref('growth_targets') }}
    where valid_from <= {{ as_of_date() }}
),

months as (
    select
        month,
        cast(sum(paying_accounts) as double) as customers,
        cast(sum(closing_mrr_usd) as double) as mrr_usd,
        cast(sum(churn_usd + contraction_usd) as double) as lost_mrr_usd,
        cast(sum(base_mrr_12m_usd) as double) as base_mrr_12m_usd,
        cast(sum(arr_walked_out_12m_usd) as double) / 12 as lost_mrr_12m_usd
    from {{ ref('revenue_retention') }}
    group by month
),

last_month as (
    select max(month) as month
    from months
),

now as (
    select
        months.month,
        months.customers,
        months.mrr_usd,
        months.lost_mrr_12m_usd / nullif(months.base_mrr_12m_usd, 0) as churn_rate,
        targets.target_growth_rate as growth_rate
    from months
    inner join last_month on months.month = last_month.month
    inner join targets on targets.newest_rank = 1
),

assumed as (
    {% for churn in [0, 10, 30] -%}
        select
            'chart_churn_{{ churn }}' as path_id,
            cast(null as date) as began_on,
            cast({{ chart_customers }} as double) as customers,
            cast({{ chart_customers * chart_price }} as double) as mrr_usd,
            cast(0.50 as double) as growth_rate,
            cast({{ churn / 100 }} as double) as churn_rate,
            {{ chart_quarters }} as quarters
        union all
    {% endfor -%}
    {% for path, churn in [
        ('own_no_churn', '0'), ('own', 'churn_rate'),
        ('own_one_point_less', 'greatest(churn_rate - 0.01, 0)'),
    ] -%}
        select
            '{{ path }}' as path_id,
            month as began_on,
            customers,
            mrr_usd,
            cast(growth_rate as double) as growth_rate,
            cast({{ churn }} as double) as churn_rate,
            {{ own_quarters }} as quarters
        from now
        where churn_rate is not null
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

-- Growth and churn as simple rates of a quarter, added: the convention of the chart.
ahead as (
    select
        assumed.path_id,
        cast(numbers.n as bigint) as quarter_number,
        case
            when assumed.began_on is not null
                then {{ month_end(months_after('assumed.began_on', 'numbers.n * 3')) }}
        end as quarter_end_on,
        assumed.growth_rate,
        assumed.churn_rate,
        assumed.customers
        * power({{ growth_factor('assumed.growth_rate', 'assumed.churn_rate', '4') }}, numbers.n)
            as customers,
        assumed.mrr_usd
        * power({{ growth_factor('assumed.growth_rate', 'assumed.churn_rate', '4') }}, numbers.n)
            as mrr_usd,
        assumed.mrr_usd * power({{ growth_factor('assumed.growth_rate', '0.0', '4') }}, numbers.n)
            as no_churn_mrr_usd,
        1.0 - power(
            {{ growth_factor('assumed.growth_rate', '(assumed.churn_rate + 0.01)', '4') }}
            / {{ growth_factor('assumed.growth_rate', 'assumed.churn_rate', '4') }},
            numbers.n
        ) as one_point_more_lost_rate
    from assumed
    inner join numbers on assumed.quarters >= numbers.n
),

-- What had been lost by then, were it still here and nothing grown on it.
past as (
    select
        'past' as path_id,
        cast(numbers.n - {{ past_quarters }} as bigint) as quarter_number,
        months.month as quarter_end_on,
        cast(null as double) as growth_rate,
        cast(null as double) as churn_rate,
        months.customers,
        months.mrr_usd,
        months.mrr_usd + coalesce(sum(lost.lost_mrr_usd), 0) as no_churn_mrr_usd,
        cast(null as double) as one_point_more_lost_rate
    from now
    inner join numbers on numbers.n <= {{ past_quarters }}
    inner join months
        on
            {{ month_end(months_after('now.month', '(numbers.n - ' ~ past_quarters ~ ') * 3')) }}
            = months.month
    left join months as lost
        on
            months.month >= lost.month
            and {{ month_end(months_after('now.month', -3 * past_quarters)) }} < lost.month
    group by numbers.n, months.month, months.customers, months.mrr_usd
)

{% for path in ['ahead', 'past'] -%}
    select
        path_id,
        quarter_number,
        quarter_end_on,
        case
            when 12 * mrr_usd < 5000000 then 'below_5m'
            when 12 * mrr_usd < 10000000 then '5m_to_10m'
            else 'above_10m'
        end as arr_stage,
        {{ stable('growth_rate') }} as growth_rate,
        {{ stable('churn_rate') }} as churn_rate,
        {{ stable('customers', 3) }} as customers,
        {{ stable('mrr_usd', 2) }} as mrr_usd,
        {{ stable('no_churn_mrr_usd', 2) }} as no_churn_mrr_usd,
        {{ stable('1 - mrr_usd / nullif(no_churn_mrr_usd, 0)') }} as lost_vs_no_churn_rate,
        {{ stable('one_point_more_lost_rate') }} as one_point_more_lost_rate,
        {{ stable('12 * mrr_usd * (growth_rate + churn_rate)', 2) }} as new_arr_needed_usd
    from {{ path }}
    {{ 'union all' if not loop.last }}
{% endfor %}
