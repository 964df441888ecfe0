with versions as (
    {{ newest_known(
        'salesforce', 'opportunity_contact_role',
        key=['id'],
        created='created_date',
    ) }}
)

select
    id as opportunity_contact_role_id,
    coalesce(is_deleted, false) and _was_known as is_deleted,
    created_date as created_at,
    system_modstamp as modified_at,
    opportunity_id,
    contact_id,
    role,
    is_primary,
    _version_at as version_at,
    _was_known as is_known_version
from versions
