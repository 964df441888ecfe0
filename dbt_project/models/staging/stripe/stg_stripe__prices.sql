with versions as (
    {{ newest_known('stripe', 'prices', key=['id'], created='created') }}
)

select
    id as price_id,
    created as created_at,
    product_id,
    currency,
    type as price_type,
    billing_scheme,
    usage_type,
    versions.interval as billing_interval,
    interval_count,
    unit_amount_decimal as unit_amount_minor,
    tiers_mode,
    tiers,
    nickname,
    active as is_active,
    metadata,
    _version_at as version_at,
    _was_known as is_known_version
from versions
