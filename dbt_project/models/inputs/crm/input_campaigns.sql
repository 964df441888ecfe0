select
    campaign_id,
    name,
    campaign_type,
    lower(audience) as audience,
    started_on,
    ended_on,
    cast(actual_cost as decimal(18, 2)) as actual_cost_usd
from {{ ref('stg_salesforce__campaign') }}
where not is_deleted
