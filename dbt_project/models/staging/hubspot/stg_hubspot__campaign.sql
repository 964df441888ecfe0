with versions as (
    {{ newest_known('hubspot', 'campaign', key=['id'], created='created_at') }}
)

select
    id as campaign_id,
    coalesce(is_deleted, false) and _was_known as is_deleted,
    created_at,
    updated_at as modified_at,
    name,
    type as campaign_type,
    start_date as started_on,
    end_date as ended_on,
    status,
    actual_cost,
    audience,
    _version_at as version_at,
    _was_known as is_known_version
from versions
