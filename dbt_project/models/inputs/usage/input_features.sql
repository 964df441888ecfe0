select
    feature_id,
    feature_name,
    plan_family,
    is_strategic,
    released_on
from {{ ref('stg_desk__features') }}
where (released_on is null or released_on <= {{ as_of_date() }})
