with versions as (
    {{ newest_known(
        'salesforce', 'campaign_member',
        key=['id'],
        created='created_date',
    ) }}
)

select
    id as campaign_member_id,
    coalesce(is_deleted, false) and _was_known as is_deleted,
    created_date as created_at,
    system_modstamp as modified_at,
    campaign_id,
    contact_id,
    lead_id,
    status,
    has_responded,
    first_responded_date as first_responded_on,
    _version_at as version_at,
    _was_known as is_known_version
from versions
