select
    lines.invoice_line_id,
    lines.invoice_id,
    lines.subscription_id,
    lines.subscription_item_id,
    lines.price_id,
    lines.quantity,
    {{ major_units('lines.amount', 'lines.currency') }} as amount,
    {{ major_units('coalesce(lines.discount_amount, 0)', 'lines.currency') }} as discount_amount,
    lines.period_start_at,
    lines.period_end_at,
    coalesce(lines.is_proration, false) as is_proration,
    lines.subscription_id is null
    or (prices.price_id is not null and prices.billing_interval is null) as is_one_off
from {{ ref('stg_stripe__invoice_lines') }} as lines
inner join {{ ref('input_invoices') }} as invoices on lines.invoice_id = invoices.invoice_id
left join {{ ref('stg_stripe__prices') }} as prices on lines.price_id = prices.price_id
