with

releases as (
    select
        feature_id,
        max(released_on) as last_release_on,
        count(*) as release_count,
        max(case when is_surprise_and_delight then 1 else 0 end) as has_delight
    from {{ ref('input_releases') }}
    where released_on <= {{ as_of_date() }}
    group by feature_id
)

select
    features.feature_id,
    features.released_on,
    releases.last_release_on,
    features.feature_name,
    features.plan_family,
    cast(coalesce(releases.release_count, 0) as bigint) as release_count,
    features.is_strategic,
    coalesce(releases.has_delight = 1, false) as is_surprise_and_delight
from {{ ref('input_features') }} as features
left join releases on features.feature_id = releases.feature_id
