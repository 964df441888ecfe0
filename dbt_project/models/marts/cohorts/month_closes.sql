{% set money = ['opening_mrr'] + movement_types() + ['closing_mrr'] %}
{% set differences = [] %}
{% for amount in money %}
    {% do differences.append('reported_' ~ amount ~ '_usd <> known_' ~ amount ~ '_usd') %}
{% endfor %}
with

reported as (
    select
        account_id,
        month,
        closed_on,
        basis,
        {%- for amount in money %}
            {{ amount }}_usd,
        {%- endfor %}
        mrr_12m_before_usd
    from {{ ref('fct_month_closes') }}
),

known as (
    select
        account_id,
        month_end_on as month,
        {%- for amount in money %}
            {{ amount }}_usd,
        {%- endfor %}
        mrr_12m_before_usd
    from {{ ref('int_account_month_money') }}
),

merged as (
    select
        source_account_id,
        account_id
    from {{ ref('int_account_map') }}
),

closes as (
    select
        month,
        min(closed_on) as closed_on,
        min(basis) as basis
    from reported
    group by month
),

-- Of both views one row an account and month, under the name the account has now.
views as (
    select
        'reported' as view_name,
        coalesce(merged.account_id, reported.account_id) as account_id,
        reported.month,
        {%- for amount in money %}
            reported.{{ amount }}_usd,
        {%- endfor %}
        reported.mrr_12m_before_usd
    from reported
    left join merged on reported.account_id = merged.source_account_id
    union all
    select
        'known' as view_name,
        known.account_id,
        known.month,
        {%- for amount in money %}
            known.{{ amount }}_usd,
        {%- endfor %}
        known.mrr_12m_before_usd
    from known
    inner join closes on known.month = closes.month
),

accounts as (
    select
        account_id,
        month,
        {%- for view in ['reported', 'known'] %}
            {%- for amount in money + ['mrr_12m_before'] %}
                coalesce(sum(case when view_name = '{{ view }}' then {{ amount }}_usd end), 0)
                    as {{ view }}_{{ amount }}_usd,
            {%- endfor %}
        {%- endfor %}
        count(*) as views_seen
    from views
    group by account_id, month
),

summed as (
    select
        month,
        {%- for view in ['reported', 'known'] %}
            {%- for amount in money + ['mrr_12m_before'] %}
                sum({{ view }}_{{ amount }}_usd) as {{ view }}_{{ amount }}_usd,
            {%- endfor %}
            sum(case when {{ view }}_mrr_12m_before_usd > 0 then {{ view }}_closing_mrr_usd end)
                as {{ view }}_base_now_usd,
            sum(least({{ view }}_mrr_12m_before_usd, {{ view }}_closing_mrr_usd))
                as {{ view }}_base_kept_usd,
        {%- endfor %}
        count(case when {{ differences | join(' or ') }} then 1 end) as restated_accounts
    from accounts
    group by month
)

select
    summed.month,
    closes.closed_on,
    closes.basis,
    {%- for amount in money %}
        cast(summed.reported_{{ amount }}_usd as decimal(18, 2)) as reported_{{ amount }}_usd,
    {%- endfor %}
    {%- for amount in money %}
        cast(summed.known_{{ amount }}_usd as decimal(18, 2)) as {{ amount }}_usd,
    {%- endfor %}
    cast(summed.known_closing_mrr_usd - summed.reported_closing_mrr_usd as decimal(18, 2))
        as restated_closing_mrr_usd,
    cast(summed.restated_accounts as bigint) as restated_accounts,
    {{ share_of('summed.reported_base_now_usd', 'summed.reported_mrr_12m_before_usd') }}
        as reported_nrr_rate,
    {{ share_of('summed.reported_base_kept_usd', 'summed.reported_mrr_12m_before_usd') }}
        as reported_grr_rate,
    {{ share_of('summed.known_base_now_usd', 'summed.known_mrr_12m_before_usd') }} as nrr_rate,
    {{ share_of('summed.known_base_kept_usd', 'summed.known_mrr_12m_before_usd') }} as grr_rate
from summed
inner join closes on summed.month = closes.month
