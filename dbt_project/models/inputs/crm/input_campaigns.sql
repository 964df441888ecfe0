with campaigns as (
    {{ of_either_crm('campaign', 'campaign', [
        'campaign_id', 'name', 'campaign_type', 'audience', 'started_on', 'ended_on',
        'actual_cost', 'is_deleted',
    ]) }}
)

select
    campaign_id,
    name,
    campaign_type,
    lower(audience) as audience,
    started_on,
    ended_on,
    cast(actual_cost as decimal(18, 2)) as actual_cost_usd
from campaigns
where not is_deleted
