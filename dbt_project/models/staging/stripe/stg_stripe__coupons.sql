with versions as (
    {{ newest_known(
        'stripe', 'coupons',
        key=['id'],
        created='created',
        tombstone='deleted',
    ) }}
)

select
    id as coupon_id,
    created as created_at,
    name as coupon_name,
    percent_off,
    amount_off,
    currency,
    duration,
    duration_in_months,
    _is_deleted as is_deleted,
    _version_at as version_at,
    _was_known as is_known_version
from versions
