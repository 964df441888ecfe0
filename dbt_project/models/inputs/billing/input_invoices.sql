with invoices as (
    select
        invoice_id,
        customer_id,
        subscription_id,
        status,
        billing_reason,
        currency,
        subtotal,
        total,
        amount_due,
        amount_paid,
        due_at,
        paid_at,
        voided_at,
        marked_uncollectible_at,
        finalized_at,
        created_at,
        attempt_count,
        is_known_version,
        coalesce(finalized_at, created_at) as issued_at
    from {{ ref('stg_stripe__invoices') }}
    where status <> 'deleted'
),

-- A version from after the as-of date is taken back to what had happened by then.
judged as (
    select
        *,
        case
            when is_known_version then status
            when voided_at < {{ as_of_end() }} then 'void'
            when marked_uncollectible_at < {{ as_of_end() }} then 'uncollectible'
            when paid_at < {{ as_of_end() }} then 'paid'
            when status = 'draft' or finalized_at >= {{ as_of_end() }} then 'draft'
            else 'open'
        end as status_then
    from invoices
)

select
    judged.invoice_id,
    judged.customer_id as billing_customer_id,
    customers.account_id,
    judged.subscription_id,
    judged.status_then as status,
    judged.billing_reason,
    upper(judged.currency) as currency,
    {{ major_units('judged.subtotal', 'judged.currency') }} as subtotal,
    {{ major_units('judged.total', 'judged.currency') }} as total,
    {{ major_units('judged.amount_due', 'judged.currency') }} as amount_due,
    case
        when judged.status_then in ('paid', 'void', 'uncollectible') or judged.is_known_version
            then {{ major_units('judged.amount_paid', 'judged.currency') }}
        else cast(0 as decimal(18, 2))
    end as amount_paid,
    judged.issued_at,
    judged.due_at,
    {{ happened_by('judged.paid_at') }} as paid_at,
    case
        when judged.is_known_version or judged.paid_at < {{ as_of_end() }} then judged.attempt_count
    end as attempt_count,
    judged.issued_at as known_at
from judged
left join {{ ref('input_customers') }} as customers
    on judged.customer_id = customers.billing_customer_id
where judged.issued_at < {{ as_of_end() }} or judged.created_at < {{ as_of_end() }}
