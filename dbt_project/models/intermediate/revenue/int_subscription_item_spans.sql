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
    cast(prices.unit_amount * items.quantity as decimal(38, 12)) as interval_amount,
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
