{{ config(meta={'dagster': {'ref': {'name': 'revenue_retention'}}}) }}

-- The rows of revenue_retention are the accounts, summed: opening, closing and every movement in
-- between.
with

retention as (
    select
        month,
        sum(
            opening_mrr_usd
            + new_usd
            + reactivation_usd
            + expansion_usd
            - contraction_usd
            - churn_usd
            - pause_out_usd + pause_in_usd + merge_transfer_usd
        ) as explained_usd,
        sum(closing_mrr_usd) as closing_mrr_usd
    from {{ ref('revenue_retention') }}
    group by month
),

accounts as (
    select
        month_end_on,
        sum(closing_mrr_usd) as closing_mrr_usd
    from {{ ref('fct_account_months') }}
    group by month_end_on
)

select
    accounts.month_end_on,
    accounts.closing_mrr_usd,
    retention.closing_mrr_usd as closing_of_rows_usd,
    retention.explained_usd
from accounts
left join retention on accounts.month_end_on = retention.month
where
    retention.closing_mrr_usd is null
    or retention.closing_mrr_usd <> accounts.closing_mrr_usd
    or retention.explained_usd <> accounts.closing_mrr_usd
