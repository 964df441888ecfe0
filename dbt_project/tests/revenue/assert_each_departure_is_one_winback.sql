{{ config(meta={'dagster': {'ref': {'name': 'winback'}}}) }}

-- Every churn is one row of winback, and every return one row won back, with the money that left
-- and came. Where policy calls a late return new, only an account's first new is no return.
with

movements as (
    select
        account_id,
        month,
        movement_type,
        amount_usd,
        row_number() over (partition by account_id order by month) as movement_number
    from {{ ref('fct_mrr_movements') }}
    where movement_type in ('new', 'reactivation', 'churn')
),

moved as (
    select
        account_id,
        month,
        movement_type = 'churn' as is_loss,
        12 * amount_usd as arr_usd
    from movements
    where
        movement_type in ('churn', 'reactivation')
        or movement_number > 1
),

told as (
    select
        account_id,
        lost_month as month,
        true as is_loss,
        arr_before_usd as arr_usd
    from {{ ref('winback') }}
    union all
    select
        account_id,
        won_back_month as month,
        false as is_loss,
        arr_after_usd as arr_usd
    from {{ ref('winback') }}
    where is_won_back
)

select
    coalesce(moved.account_id, told.account_id) as account_id,
    coalesce(moved.month, told.month) as month,
    moved.arr_usd as arr_moved_usd,
    told.arr_usd as arr_told_usd
from moved
full outer join told
    on
        moved.account_id = told.account_id
        and moved.month = told.month
        and moved.is_loss = told.is_loss
where not coalesce(moved.arr_usd = told.arr_usd, false)
