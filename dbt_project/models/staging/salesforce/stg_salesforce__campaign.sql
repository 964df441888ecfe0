with versions as (
    {{ newest_known('salesforce', 'campaign', key=['id'], created='created_date') }}
)

select
    id as campaign_id,
    coalesce(is_deleted, false) and _was_known as is_deleted,
    created_date as created_at,
    system_modstamp as modified_at,
    name,
    type as campaign_type,
    start_date as started_on,
    end_date as ended_on,
    status,
    actual_cost,
    audience__c as audience,
    _version_at as version_at,
    _was_known as is_known_version
from versions
