-- What one company gives up in a merger, another takes over in the same month.
select
    month,
    surviving_account_id,
    sum(amount_usd) as amount_usd
from {{ ref('fct_mrr_movements') }}
where movement_type = 'merge_transfer'
group by month, surviving_account_id
having sum(amount_usd) <> 0
