with versions as (
    {{ newest_known(
        'stripe', 'customers',
        key=['id'],
        created='created',
        tombstone='deleted',
    ) }}
)

select
    id as customer_id,
    created as created_at,
    currency,
    delinquent as is_delinquent,
    _is_deleted as is_deleted,
    name as customer_name,
    email_hash,
    balance,
    metadata,
    _version_at as version_at,
    _was_known as is_known_version
from versions
