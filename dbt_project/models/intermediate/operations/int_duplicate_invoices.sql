with

periods as (
    select
        invoice_id,
        min(period_start_at) as period_start_at,
        max(period_end_at) as period_end_at
    from {{ ref('input_invoice_lines') }}
    group by invoice_id
),

-- Nobody sends an invoice of nothing twice.
invoices as (
    select
        invoices.invoice_id,
        invoices.billing_customer_id,
        invoices.subscription_id,
        invoices.currency,
        invoices.total,
        invoices.status,
        invoices.issued_at,
        invoices.known_at,
        periods.period_start_at,
        periods.period_end_at
    from {{ ref('input_invoices') }} as invoices
    inner join periods on invoices.invoice_id = periods.invoice_id
    where invoices.total > 0 and invoices.status <> 'draft'
),

-- The one that was paid is the real one, else the one sent first; of two of one instant the one
-- that its subscription made.
ranked as (
    select
        *,
        first_value(invoice_id) over (
            partition by billing_customer_id, currency, total, period_start_at, period_end_at
            order by
                case status when 'paid' then 0 when 'open' then 1 else 2 end,
                issued_at,
                case when subscription_id is null then 1 else 0 end,
                invoice_id
        ) as first_invoice_id
    from invoices
    where period_end_at > period_start_at
)

select
    invoice_id,
    first_invoice_id,
    billing_customer_id,
    status,
    currency,
    total,
    known_at
from ranked
where invoice_id <> first_invoice_id
