select
    account_id,
    cast(month as date) as month,
    cast(closed_on as date) as closed_on,
    basis,
    cast(opening_mrr_usd as decimal(18, 2)) as opening_mrr_usd,
    {%- for movement in movement_types() %}
        cast({{ movement }}_usd as decimal(18, 2)) as {{ movement }}_usd,
    {%- endfor %}
    cast(closing_mrr_usd as decimal(18, 2)) as closing_mrr_usd,
    cast(mrr_12m_before_usd as decimal(18, 2)) as mrr_12m_before_usd
from {{ ref('stg_closes__month_closes') }}
