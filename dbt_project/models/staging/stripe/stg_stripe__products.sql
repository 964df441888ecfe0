with versions as (
    {{ newest_known(
        'stripe', 'products',
        key=['id'],
        created='created',
        tombstone='deleted',
    ) }}
)

select
    id as product_id,
    created as created_at,
    name as product_name,
    active as is_active,
    _is_deleted as is_deleted,
    metadata,
    _version_at as version_at,
    _was_known as is_known_version
from versions
