select
    credit_note_id,
    invoice_id,
    customer_id as billing_customer_id,
    {{ major_units('amount', 'currency') }} as amount,
    upper(currency) as currency,
    reason,
    created_at as issued_at
from {{ ref('stg_stripe__credit_notes') }}
where status <> 'void' or not is_known_version
