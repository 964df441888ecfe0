select
    price_id,
    product_id as plan_id,
    upper(currency) as currency,
    {{ major_unit_price('unit_amount_minor', 'currency') }} as unit_amount,
    billing_interval as interval,
    interval_count,
    usage_type,
    billing_scheme,
    tiers_mode,
    tiers
from {{ ref('stg_stripe__prices') }}
