select
    release_id,
    feature_id,
    released_on,
    is_surprise_and_delight
from {{ ref('stg_desk__releases') }}
where released_on <= {{ as_of_date() }}
