with versions as (
    {{ newest_known('stripe', 'invoice_lines', key=['id']) }}
)

select
    id as invoice_line_id,
    invoice_id,
    subscription_id,
    subscription_item_id,
    price_id,
    type as line_type,
    quantity,
    amount,
    currency,
    period_start as period_start_at,
    period_end as period_end_at,
    is_proration,
    is_credit_proration,
    discount_amount,
    discount_ids,
    _version_at as version_at,
    _was_known as is_known_version
from versions
