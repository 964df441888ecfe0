-- GRR cannot exceed NRR, nor one: what is kept is at most what is there, and at most what was
-- there.
select
    month,
    segment,
    region,
    grr_12m_rate,
    nrr_12m_rate
from {{ ref('revenue_retention') }}
where
    kept_mrr_12m_usd > now_mrr_12m_usd
    or kept_mrr_12m_usd > base_mrr_12m_usd
    or grr_12m_rate > least(nrr_12m_rate, 1)
