with versions as (
    {{ newest_known('stripe', 'discounts', key=['id']) }}
)

select
    versions.id as discount_id,
    versions.coupon_id,
    versions.customer_id,
    versions.subscription_id,
    versions.subscription_item_id,
    versions.invoice_id,
    versions.start as starts_at,
    versions."end" as ends_at,
    versions.percent_off,
    versions.amount_off,
    versions.currency,
    versions.duration,
    versions.duration_in_months,
    versions._version_at as version_at,
    versions._was_known as is_known_version
from versions
