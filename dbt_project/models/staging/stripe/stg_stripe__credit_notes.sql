with versions as (
    {{ newest_known('stripe', 'credit_notes', key=['id'], created='created') }}
)

select
    id as credit_note_id,
    created as created_at,
    invoice_id,
    customer_id,
    status,
    type as credit_note_type,
    reason,
    amount,
    currency,
    _version_at as version_at,
    _was_known as is_known_version
from versions
