with versions as (
    {{ newest_known('hubspot', 'campaign_member', key=['id'], created='created_at') }}
)

select
    id as campaign_member_id,
    coalesce(is_deleted, false) and _was_known as is_deleted,
    created_at,
    updated_at as modified_at,
    campaign_id,
    contact_id,
    cast(null as varchar) as lead_id,
    status,
    has_responded,
    responded_on as first_responded_on,
    _version_at as version_at,
    _was_known as is_known_version
from versions
