with

discounts as (
    select
        discount_id,
        billing_customer_id,
        subscription_id,
        subscription_item_id,
        coalesce(percent_off, 0) as percent_off,
        coalesce(amount_off, 0) as amount_off,
        duration,
        starts_at,
        ends_at
    from {{ ref('input_discounts') }}
    {%- if policy_is('discounts', 'forever_only') %}
    where duration = 'forever'
    {%- endif %}
),

phases as (
    select
        subscription_id,
        billing_customer_id
    from {{ ref('int_subscription_phases') }}
),

subscriptions as (
    select distinct
        subscription_id,
        billing_customer_id
    from phases
),

of_subscriptions as (
    select
        subscription_id,
        discount_id,
        subscription_item_id,
        percent_off,
        amount_off,
        duration,
        starts_at,
        ends_at,
        false as is_of_customer
    from discounts
    where subscription_id is not null
),

of_customers as (
    select
        subscriptions.subscription_id,
        discounts.discount_id,
        cast(null as varchar) as subscription_item_id,
        discounts.percent_off,
        discounts.amount_off,
        discounts.duration,
        discounts.starts_at,
        discounts.ends_at,
        true as is_of_customer
    from discounts
    inner join subscriptions on discounts.billing_customer_id = subscriptions.billing_customer_id
    where discounts.subscription_id is null and discounts.subscription_item_id is null
),

together as (
    select
        subscription_id,
        discount_id,
        subscription_item_id,
        percent_off,
        amount_off,
        duration,
        starts_at,
        ends_at,
        is_of_customer
    from of_subscriptions
    union all
    select
        subscription_id,
        discount_id,
        subscription_item_id,
        percent_off,
        amount_off,
        duration,
        starts_at,
        ends_at,
        is_of_customer
    from of_customers
),

items as (
    select
        items.subscription_id,
        items.valid_from,
        items.valid_to,
        case prices.interval
            when 'year' then 12 * prices.interval_count
            when 'month' then prices.interval_count
            else 0
        end as interval_months,
        case prices.interval
            when 'week' then 7 * prices.interval_count
            when 'day' then prices.interval_count
            else 0
        end as interval_days
    from {{ ref('input_subscription_items') }} as items
    inner join {{ ref('input_prices') }} as prices on items.price_id = prices.price_id
),

-- A discount granted once has no end of its own: it covers the one period that was billed with it.
single_periods as (
    select
        together.subscription_id,
        together.discount_id,
        max(items.interval_months) as interval_months,
        max(items.interval_days) as interval_days
    from together
    inner join items
        on
            together.subscription_id = items.subscription_id
            and together.starts_at >= items.valid_from
            and (items.valid_to is null or together.starts_at < items.valid_to)
    where together.duration = 'once'
    group by together.subscription_id, together.discount_id
)

select
    together.subscription_id,
    together.discount_id,
    together.subscription_item_id,
    together.starts_at as valid_from,
    coalesce(
        together.ends_at,
        -- A subscription is billed at one interval: months or days, not both.
        {{ dbt.dateadd('day', 'single_periods.interval_days', dbt.dateadd(
            'month', 'single_periods.interval_months', 'together.starts_at'
        )) }}
    ) as valid_to,
    cast(together.percent_off as decimal(9, 4)) as percent_off,
    together.amount_off,
    together.is_of_customer
from together
left join single_periods
    on
        together.subscription_id = single_periods.subscription_id
        and together.discount_id = single_periods.discount_id
