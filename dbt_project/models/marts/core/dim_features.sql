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
),

releases_recorded as (
    select count(*) > 0 as is_recorded
    from releases
)

select
    features.feature_id,
    features.released_on,
    releases.last_release_on,
    features.feature_name,
    features.plan_family,
    case
        when releases_recorded.is_recorded
            then cast(coalesce(releases.release_count, 0) as bigint)
    end as release_count,
    features.is_strategic,
    case when releases_recorded.is_recorded then coalesce(releases.has_delight = 1, false) end
        as is_surprise_and_delight
from {{ ref('input_features') }} as features
cross join releases_recorded
left join releases on features.feature_id = releases.feature_id
