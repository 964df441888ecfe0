with versions as (
    {{ newest_known('stripe', 'prices', key=['id'], created='created') }}
)

select
    versions.id as price_id,
    versions.created as created_at,
    versions.product_id,
    versions.currency,
    versions.type as price_type,
    versions.billing_scheme,
    versions.usage_type,
    versions.interval as billing_interval,
    versions.interval_count,
    versions.unit_amount_decimal as unit_amount_minor,
    versions.tiers_mode,
    versions.tiers,
    versions.nickname,
    versions.active as is_active,
    versions.metadata,
    versions._version_at as version_at,
    versions._was_known as is_known_version
from versions
