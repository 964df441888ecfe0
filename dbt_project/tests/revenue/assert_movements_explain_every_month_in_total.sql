{{ config(meta={'dagster': {'ref': {'name': 'fct_mrr_movements'}}}) }}

-- The same identity over all accounts, month by month, counted from the movements and from
-- subscription states: what the movements add up to since the first day is what the subscriptions
-- in force are worth.
with

movements as (
    select
        month,
        sum(
            case
                when movement_type in ('contraction', 'churn', 'pause_out') then -amount_usd
                else amount_usd
            end
        ) as change_usd
    from {{ ref('fct_mrr_movements') }}
    group by month
),

months as (
    select
        month_end_on,
        closes_at
    from {{ ref('int_month_ends') }}
),

running as (
    select
        months.month_end_on,
        sum(coalesce(movements.change_usd, 0)) over (
            order by months.month_end_on
            rows between unbounded preceding and current row
        ) as mrr_usd
    from months
    left join movements on months.month_end_on = movements.month
),

states as (
    select
        months.month_end_on,
        sum(states.mrr_usd) as mrr_usd
    from months
    inner join {{ ref('fct_subscription_states') }} as states
        on {{ in_force_at_close('states.valid_from', 'states.valid_to', 'months.closes_at') }}
    where states.account_id is not null
    group by months.month_end_on
),

accounts as (
    select
        month_end_on,
        sum(closing_mrr_usd) as mrr_usd
    from {{ ref('fct_account_months') }}
    group by month_end_on
)

select
    running.month_end_on,
    running.mrr_usd as mrr_of_movements_usd,
    states.mrr_usd as mrr_of_states_usd,
    accounts.mrr_usd as mrr_of_accounts_usd
from running
left join states on running.month_end_on = states.month_end_on
left join accounts on running.month_end_on = accounts.month_end_on
where
    running.mrr_usd <> coalesce(states.mrr_usd, 0)
    or running.mrr_usd <> coalesce(accounts.mrr_usd, 0)
