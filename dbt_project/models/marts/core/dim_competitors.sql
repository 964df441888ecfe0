{# With fewer decided between both of us a share says nothing. #}
{% set least_decided = 10 %}
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
),

counted as (
    select
        competitors.competitor_id,
        competitors.competitor_name,
        cast(coalesce(deals_lost.deals_lost, 0) as bigint) as deals_lost,
        cast(coalesce(displaced.accounts_displaced, 0) as bigint) as accounts_displaced
    from {{ ref('input_competitors') }} as competitors
    left join deals_lost on competitors.competitor_id = deals_lost.competitor_id
    left join displaced on competitors.competitor_id = displaced.competitor_id
)

select
    competitor_id,
    competitor_name,
    deals_lost,
    accounts_displaced,
    -- Products are compared by those who choose between them: at parity each wins one half. Nobody
    -- displaced and nothing lost anywhere is nothing recorded.
    case
        when
            deals_lost + accounts_displaced >= {{ least_decided }}
            and sum(deals_lost) over () > 0
            and sum(accounts_displaced) over () > 0
            then {{ stable('1.0 * deals_lost / (deals_lost + accounts_displaced) - 0.5') }}
    end as parity_gap
from counted
