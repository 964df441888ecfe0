-- ARR is twelve times MRR wherever both stand.
select
    account_id,
    month_end_on
from {{ ref('fct_account_months') }}
where closing_arr_usd <> 12 * closing_mrr_usd
