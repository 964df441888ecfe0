{{ config(meta={'dagster': {'ref': {'name': 'revenue_concentration'}}}) }}

-- The segments of revenue_concentration sum to its whole, and the whole is the paying accounts.
with

parts as (
    select
        month_end_on,
        sum(paying_accounts) as paying_accounts,
        sum(arr_usd) as arr_usd
    from {{ ref('revenue_concentration') }}
    where segment <> '(all)'
    group by month_end_on
),

wholes as (
    select
        month_end_on,
        paying_accounts,
        arr_usd
    from {{ ref('revenue_concentration') }}
    where segment = '(all)'
),

accounts as (
    select
        month_end_on,
        count(*) as paying_accounts,
        sum(12 * closing_mrr_usd) as arr_usd
    from {{ ref('fct_account_months') }}
    where is_paying
    group by month_end_on
)

select
    coalesce(accounts.month_end_on, wholes.month_end_on) as month_end_on,
    accounts.paying_accounts,
    wholes.paying_accounts as paying_accounts_of_whole,
    parts.paying_accounts as paying_accounts_of_parts,
    accounts.arr_usd,
    wholes.arr_usd as arr_of_whole_usd,
    parts.arr_usd as arr_of_parts_usd
from accounts
full outer join wholes on accounts.month_end_on = wholes.month_end_on
left join parts on coalesce(accounts.month_end_on, wholes.month_end_on) = parts.month_end_on
where
    not coalesce(
        accounts.paying_accounts = wholes.paying_accounts
        and accounts.paying_accounts = parts.paying_accounts
        and accounts.arr_usd = wholes.arr_usd
        and accounts.arr_usd = parts.arr_usd,
        false
    )
