with versions as (
    {{ newest_known('stripe', 'charges', key=['id'], created='created') }}
)

select
    id as charge_id,
    created as created_at,
    customer_id,
    invoice_id,
    payment_intent_id,
    amount,
    amount_refunded,
    currency,
    status,
    paid as is_paid,
    refunded as is_refunded,
    disputed as is_disputed,
    failure_code,
    _version_at as version_at,
    _was_known as is_known_version
from versions
