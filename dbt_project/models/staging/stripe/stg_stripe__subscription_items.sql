with versions as (
    {{ known_versions(
        'stripe', 'subscription_items',
        key=['id'],
        created='created',
        last_wins=['deleted desc', 'quantity desc', 'price_id'],
    ) }}
)

select
    id as subscription_item_id,
    subscription_id,
    price_id,
    quantity,
    created as created_at,
    deleted as is_deleted,
    _version_at as version_at,
    _was_known as is_known_version
from versions
