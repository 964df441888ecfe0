with

deals_lost as (
    select
        lost_to_competitor_id as competitor_id,
        count(*) as deals_lost
    from {{ ref('input_opportunities') }}
    where is_closed and not is_won and lost_to_competitor_id is not null
    group by lost_to_competitor_id
),

displaced as (
    select
        displaced_competitor_id as competitor_id,
        count(*) as accounts_displaced
    from {{ ref('dim_accounts') }}
    where displaced_competitor_id is not null and not is_merged and not is_test
    group by displaced_competitor_id
)

select
    competitors.competitor_id,
    competitors.competitor_name,
    cast(coalesce(deals_lost.deals_lost, 0) as bigint) as deals_lost,
    cast(coalesce(displaced.accounts_displaced, 0) as bigint) as accounts_displaced
from {{ ref('input_competitors') }} as competitors
left join deals_lost on competitors.competitor_id = deals_lost.competitor_id
left join displaced on competitors.competitor_id = displaced.competitor_id
