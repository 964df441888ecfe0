-- Seats, price and plan explain every expansion and contraction without remainder, and nothing else
-- has parts.
select
    account_id,
    month,
    movement_type,
    amount_usd,
    seats_usd,
    price_usd,
    plan_usd
from {{ ref('fct_mrr_movements') }}
where
    (
        movement_type in ('expansion', 'contraction')
        and (seats_usd is null or amount_usd <> seats_usd + price_usd + plan_usd)
    )
    or (
        movement_type not in ('expansion', 'contraction')
        and (seats_usd is not null or price_usd is not null or plan_usd is not null)
    )
