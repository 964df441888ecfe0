with

accounts as (
    select
        account_id,
        displaced_competitor_id,
        {{ utc_date('created_at') }} as created_on
    from {{ ref('dim_accounts') }}
    where not is_test and not is_merged
),

lives as (
    select
        account_id,
        min(life_started_on) as life_started_on
    from {{ ref('int_account_observations') }}
    group by account_id
),

opportunities as (
    select
        opportunity_id,
        account_id,
        lost_to_competitor_id,
        closed_on,
        {{ visible_on('closed_on', 'known_at') }} as visible_on,
        is_won
    from {{ ref('fct_opportunities') }}
    where is_closed and closed_on is not null and account_id is not null
),

-- Whoever took the deal has the customer until a later deal is ours.
lost as (
    select
        losses.opportunity_id,
        losses.account_id,
        losses.lost_to_competitor_id,
        losses.closed_on,
        losses.visible_on,
        min(wins.closed_on) as won_on
    from opportunities as losses
    left join opportunities as wins
        on
            losses.account_id = wins.account_id
            and losses.closed_on < wins.closed_on
            and wins.is_won
    where losses.lost_to_competitor_id is not null and not losses.is_won
    group by
        losses.opportunity_id, losses.account_id, losses.lost_to_competitor_id,
        losses.closed_on, losses.visible_on
)

select
    lost.account_id,
    lost.lost_to_competitor_id as competitor_id,
    lost.closed_on as used_from_on,
    lost.won_on as used_to_on,
    lost.visible_on as known_on,
    lost.opportunity_id,
    'lost_to' as basis
from lost
union all
select
    accounts.account_id,
    accounts.displaced_competitor_id as competitor_id,
    cast(null as date) as used_from_on,
    lives.life_started_on as used_to_on,
    accounts.created_on as known_on,
    cast(null as {{ dbt.type_string() }}) as opportunity_id,
    'displaced' as basis
from accounts
left join lives on accounts.account_id = lives.account_id
where accounts.displaced_competitor_id is not null
