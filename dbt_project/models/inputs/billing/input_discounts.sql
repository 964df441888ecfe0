with subscriptions as (
    select distinct
        subscription_id,
        customer_id
    from {{ ref('stg_stripe__subscriptions') }}
)

select
    discounts.discount_id,
    discounts.coupon_id,
    coalesce(discounts.customer_id, subscriptions.customer_id) as billing_customer_id,
    discounts.subscription_id,
    discounts.subscription_item_id,
    cast(discounts.percent_off as double) as percent_off,
    {{ major_units('discounts.amount_off', 'discounts.currency') }} as amount_off,
    upper(discounts.currency) as currency,
    discounts.duration,
    discounts.starts_at,
    -- The end of a repeating discount is set when it is granted; any other end is news of its day.
    case
        when discounts.duration = 'repeating' or discounts.ends_at < {{ as_of_end() }}
            then discounts.ends_at
    end as ends_at
from {{ ref('stg_stripe__discounts') }} as discounts
left join subscriptions on discounts.subscription_id = subscriptions.subscription_id
where discounts.starts_at < {{ as_of_end() }}
