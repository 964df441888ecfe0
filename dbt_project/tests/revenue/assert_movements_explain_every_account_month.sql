-- closing = opening + new + reactivation + expansion - contraction - churn - pause_out + pause_in +
-- merge_transfer, to the cent, in every month of every account; and a merger moves money without
-- making any.
select
    account_id,
    month_end_on,
    opening_mrr_usd,
    closing_mrr_usd
from {{ ref('fct_account_months') }}
where
    closing_mrr_usd
    <> opening_mrr_usd + new_usd + reactivation_usd + expansion_usd - contraction_usd - churn_usd
    - pause_out_usd + pause_in_usd + merge_transfer_usd
    or merge_transfer_usd <> 0
