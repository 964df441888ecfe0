-- Only what a merger moves may be negative; a movement of nothing is none.
select
    account_id,
    month,
    movement_type,
    amount_usd
from {{ ref('fct_mrr_movements') }}
where amount_usd = 0 or (amount_usd < 0 and movement_type <> 'merge_transfer')
