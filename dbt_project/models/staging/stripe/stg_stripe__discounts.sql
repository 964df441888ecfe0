with versions as (
    {{ newest_known('stripe', 'discounts', key=['id']) }}
)

select
    id as discount_id,
    coupon_id,
    customer_id,
    subscription_id,
    subscription_item_id,
    invoice_id,
    versions.start as starts_at,
    versions."end" as ends_at,
    percent_off,
    amount_off,
    currency,
    duration,
    duration_in_months,
    _version_at as version_at,
    _was_known as is_known_version
from versions
