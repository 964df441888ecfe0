with

wins as (
    select
        opportunity_id,
        account_id,
        opportunity_type,
        closed_on,
        {{ month_end('closed_on') }} as month_end_on,
        {{ dbt.date_trunc('quarter', 'closed_on') }} as quarter_on,
        acquisition_cost_usd
    from {{ ref('fct_opportunities') }}
    where
        is_won
        and closed_on is not null
        and opportunity_type in ('new_business', 'win_back', 'renewal')
        and account_id is not null
),

-- Where the cost of a win was not written down, the quarter's spending on acquisition that no win
-- accounts for is spread over the wins without a cost.
spending as (
    select
        {{ dbt.date_trunc('quarter', 'month') }} as quarter_on,
        sum(cost_usd) as cost_usd
    from {{ ref('input_function_costs') }}
    where purpose = 'acquisition'
    group by {{ dbt.date_trunc('quarter', 'month') }}
),

quarters as (
    select
        quarter_on,
        sum(
            case
                when opportunity_type <> 'renewal' and acquisition_cost_usd is null then 1 else 0
            end
        )
            as wins_without_cost,
        sum(coalesce(acquisition_cost_usd, 0)) as recorded_cost_usd
    from wins
    group by quarter_on
),

costed as (
    select
        wins.opportunity_id,
        wins.account_id,
        wins.opportunity_type,
        wins.closed_on,
        wins.month_end_on,
        case
            when wins.acquisition_cost_usd is not null then wins.acquisition_cost_usd
            when wins.opportunity_type = 'renewal' then null
            when spending.cost_usd > quarters.recorded_cost_usd
                then cast(
                        (spending.cost_usd - quarters.recorded_cost_usd)
                        / quarters.wins_without_cost
                        as decimal(18, 2)
                    )
        end as cost_usd,
        case when wins.acquisition_cost_usd is null then 1 else 0 end as is_allocated
    from wins
    inner join quarters on wins.quarter_on = quarters.quarter_on
    left join spending on wins.quarter_on = spending.quarter_on
)

select
    opportunity_id,
    account_id,
    opportunity_type,
    closed_on,
    month_end_on,
    cost_usd,
    is_allocated = 1 as is_allocated
from costed
where cost_usd is not null
