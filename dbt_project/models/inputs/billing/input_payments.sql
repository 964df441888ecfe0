-- Refunds and disputes carry no date on the charge: a version from after the as-of date says
-- nothing about whether they had happened by then.
select
    charge_id as payment_id,
    customer_id as billing_customer_id,
    invoice_id,
    {{ major_units('amount', 'currency') }} as amount,
    case
        when is_known_version then {{ major_units('amount_refunded', 'currency') }}
        else cast(0 as decimal(18, 2))
    end as amount_refunded,
    upper(currency) as currency,
    status,
    is_known_version and coalesce(is_disputed, false) as is_disputed,
    failure_code,
    created_at as paid_at
from {{ ref('stg_stripe__charges') }}
