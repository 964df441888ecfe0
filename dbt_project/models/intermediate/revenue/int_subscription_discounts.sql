with

discounts as (
    select
        discount_id,
        billing_customer_id,
        subscription_id,
        subscription_item_id,
        coalesce(percent_off, 0) as percent_off,
        coalesce(amount_off, 0) as amount_off,
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
        discounts.starts_at,
        discounts.ends_at,
        true as is_of_customer
    from discounts
    inner join subscriptions on discounts.billing_customer_id = subscriptions.billing_customer_id
    where discounts.subscription_id is null and discounts.subscription_item_id is null
),

together as (
    select * from of_subscriptions
    union all
    select * from of_customers
)

select
    subscription_id,
    discount_id,
    subscription_item_id,
    starts_at as valid_from,
    ends_at as valid_to,
    cast(percent_off as decimal(9, 4)) as percent_off,
    amount_off,
    is_of_customer
from together
