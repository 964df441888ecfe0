with versions as (
    {{ newest_known('stripe', 'invoices', key=['id'], created='created') }}
)

select
    id as invoice_id,
    created as created_at,
    customer_id,
    subscription_id,
    status,
    number,
    billing_reason,
    collection_method,
    currency,
    subtotal,
    total,
    total_excluding_tax,
    amount_due,
    amount_paid,
    amount_remaining,
    attempt_count,
    period_start as period_start_at,
    period_end as period_end_at,
    due_date as due_at,
    finalized_at,
    paid_at,
    voided_at,
    marked_uncollectible_at,
    _version_at as version_at,
    _was_known as is_known_version
from versions
