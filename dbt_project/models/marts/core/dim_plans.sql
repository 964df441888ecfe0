with

prices as (
    select
        plan_id,
        count(*) as price_count,
        max(case when usage_type = 'metered' then 1 else 0 end) as has_metered_price,
        max(case when interval = 'year' then 1 else 0 end) as has_yearly_price
    from {{ ref('input_prices') }}
    group by plan_id
)

select
    plans.plan_id,
    plans.created_at,
    plans.plan_name,
    plans.plan_family,
    cast(coalesce(prices.price_count, 0) as bigint) as price_count,
    coalesce(prices.has_metered_price = 1, false) as has_metered_price,
    coalesce(prices.has_yearly_price = 1, false) as has_yearly_price
from {{ ref('input_plans') }} as plans
left join prices on plans.plan_id = prices.plan_id
