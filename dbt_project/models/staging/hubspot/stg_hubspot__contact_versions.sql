with versions as (
    {{ known_versions('hubspot', 'contact', key=['id'], created='created_at') }}
)

select
    id as contact_id,
    created_at,
    company_id as account_id,
    title,
    level,
    roles,
    {{ come_by('left_on') }} as left_on,
    _version_at as version_at,
    _was_known as is_known_version
from versions
