{{ config(meta={'dagster': {'ref': {'name': 'special_prospects'}}}) }}

-- Every lost deal of new business is one row of special_prospects, with its money.
with

lost as (
    select
        opportunity_id,
        amount_usd
    from {{ ref('fct_opportunities') }}
    where opportunity_type = 'new_business' and is_closed and not is_won
)

select
    coalesce(lost.opportunity_id, prospects.opportunity_id) as opportunity_id,
    lost.amount_usd,
    prospects.amount_usd as amount_told_usd
from lost
full outer join {{ ref('special_prospects') }} as prospects
    on lost.opportunity_id = prospects.opportunity_id
where
    lost.opportunity_id is null
    or prospects.opportunity_id is null
    or coalesce(lost.amount_usd, 0) <> coalesce(prospects.amount_usd, 0)
