{{ config(meta={'dagster': {'ref': {'name': 'input_fx_rates'}}}) }}

-- Without a rate the money of a contract would be unknown: add the currency to the rates the desk
-- keeps (fx_rates).
select distinct prices.currency
from {{ ref('input_prices') }} as prices
inner join {{ ref('input_subscription_items') }} as items on prices.price_id = items.price_id
left join {{ ref('input_fx_rates') }} as rates on prices.currency = rates.currency
where rates.currency is null and prices.currency <> 'USD'
