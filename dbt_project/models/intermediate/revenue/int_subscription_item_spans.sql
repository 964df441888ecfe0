with

phases as (
    select
        subscription_id,
        billing_customer_id,
        valid_from,
        valid_to,
        started_at,
        status,
        term_months,
        is_paying,
        is_paused,
        is_involuntary
    from {{ ref('int_subscription_phases') }}
),

items as (
    select
        subscription_item_id,
        subscription_id,
        price_id,
        quantity,
        valid_from,
        valid_to
    from {{ ref('input_subscription_items') }}
),

-- Metered overage and one-off prices are no recurring revenue.
prices as (
    select
        price_id,
        plan_id,
        currency,
        unit_amount,
        interval,
        interval_count
    from {{ ref('input_prices') }}
    where interval is not null and usage_type = 'licensed'
),

tiers as (
    select
        price_id,
        tiers_mode,
        above_quantity,
        to_quantity,
        unit_amount,
        flat_amount
    from {{ ref('int_price_tiers') }}
),

quantities as (
    select distinct
        price_id,
        quantity
    from items
    where quantity > 0
),

-- All units at the price of the tier that their number falls into, or each at the price of its own.
tiered_amounts as (
    select
        quantities.price_id,
        quantities.quantity,
        sum(
            tiers.flat_amount + tiers.unit_amount * case
                when tiers.tiers_mode = 'volume' then quantities.quantity
                else
                    least(quantities.quantity, coalesce(tiers.to_quantity, quantities.quantity))
                    - tiers.above_quantity
            end
        ) as interval_amount
    from quantities
    inner join tiers
        on
            quantities.price_id = tiers.price_id
            and quantities.quantity > tiers.above_quantity
            and (
                tiers.tiers_mode = 'graduated'
                or tiers.to_quantity is null
                or quantities.quantity <= tiers.to_quantity
            )
    group by quantities.price_id, quantities.quantity
),

discounts as (
    select
        subscription_id,
        valid_from,
        valid_to
    from {{ ref('int_subscription_discounts') }}
),

-- Everything that can change money of a subscription cuts its life into spans in which nothing
-- does.
cuts as (
    select
        subscription_id,
        valid_from as cut_at
    from phases
    union
    select
        subscription_id,
        valid_to as cut_at
    from phases
    where valid_to is not null
    union
    select
        subscription_id,
        valid_from as cut_at
    from items
    union
    select
        subscription_id,
        valid_to as cut_at
    from items
    where valid_to is not null
    union
    select
        subscription_id,
        valid_from as cut_at
    from discounts
    union
    select
        subscription_id,
        valid_to as cut_at
    from discounts
    where valid_to is not null
),

spans as (
    select
        subscription_id,
        cut_at as valid_from,
        lead(cut_at) over (partition by subscription_id order by cut_at) as valid_to
    from cuts
)

select
    spans.subscription_id,
    items.subscription_item_id,
    phases.billing_customer_id,
    prices.plan_id,
    prices.price_id,
    spans.valid_from,
    spans.valid_to,
    phases.started_at,
    phases.status,
    phases.term_months,
    prices.currency,
    prices.interval,
    prices.interval_count,
    items.quantity,
    prices.unit_amount,
    cast(
        coalesce(tiered_amounts.interval_amount, prices.unit_amount * items.quantity)
        as decimal(38, 12)
    ) as interval_amount,
    phases.is_paying,
    phases.is_paused,
    phases.is_involuntary
from spans
inner join phases
    on
        spans.subscription_id = phases.subscription_id
        and spans.valid_from >= phases.valid_from
        and (phases.valid_to is null or spans.valid_from < phases.valid_to)
inner join items
    on
        spans.subscription_id = items.subscription_id
        and spans.valid_from >= items.valid_from
        and (items.valid_to is null or spans.valid_from < items.valid_to)
inner join prices on items.price_id = prices.price_id
left join tiered_amounts
    on
        items.price_id = tiered_amounts.price_id
        and items.quantity = tiered_amounts.quantity
