with versions as (
    {{ newest_known('stripe', 'events', key=['id'], created='created') }}
)

select
    id as event_id,
    created as created_at,
    type as event_type,
    object_type,
    object_id,
    api_version,
    _version_at as version_at,
    _was_known as is_known_version
from versions
