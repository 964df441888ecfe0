with

spans as (
    select
        subscription_id,
        subscription_item_id,
        valid_from,
        interval_amount
    from {{ ref('int_subscription_item_spans') }}
),

discounts as (
    select
        subscription_id,
        subscription_item_id,
        valid_from,
        valid_to,
        percent_off,
        amount_off,
        is_of_customer
    from {{ ref('int_subscription_discounts') }}
),

sized as (
    select
        subscription_id,
        subscription_item_id,
        valid_from,
        interval_amount,
        sum(interval_amount) over (
            partition by subscription_id, valid_from
        ) as subscription_amount
    from spans
),

in_force as (
    select
        sized.subscription_item_id,
        sized.valid_from,
        sized.interval_amount,
        sized.subscription_amount,
        discounts.percent_off,
        discounts.amount_off,
        discounts.is_of_customer,
        discounts.subscription_item_id is not null as is_of_item,
        min(case when discounts.is_of_customer then 1 else 0 end) over (
            partition by sized.subscription_id, sized.valid_from
        ) as are_all_of_customer
    from sized
    inner join discounts
        on
            sized.subscription_id = discounts.subscription_id
            and sized.valid_from >= discounts.valid_from
            and (discounts.valid_to is null or sized.valid_from < discounts.valid_to)
    where
        discounts.subscription_item_id is null
        or discounts.subscription_item_id = sized.subscription_item_id
),

-- The vendor applies a discount of the customer only where the subscription has none of its own.
summed as (
    select
        subscription_item_id,
        valid_from,
        max(interval_amount) as interval_amount,
        max(subscription_amount) as subscription_amount,
        max(percent_off) as greatest_percent_off,
        count(case when percent_off > 0 then 1 end) as percentages,
        sum(ln(case when percent_off >= 100 then 1 else 1 - cast(percent_off as double) / 100 end))
            as log_share_kept,
        sum(case when is_of_item then amount_off else 0 end) as amount_off_item,
        sum(case when is_of_item then 0 else amount_off end) as amount_off_subscription
    from in_force
    where not is_of_customer or are_all_of_customer = 1
    group by subscription_item_id, valid_from
)

select
    subscription_item_id,
    valid_from,
    cast(
        case
            when greatest_percent_off >= 100 then 0
            -- Several percentages multiply; a single one stays as exact as it was typed.
            when percentages > 1 then exp(log_share_kept)
            else 1 - cast(greatest_percent_off as double) / 100
        end as decimal(9, 6)
    ) as share_kept,
    -- Money off the whole subscription is carried by its items in proportion to their value.
    cast(
        amount_off_item + case
            when interval_amount = subscription_amount then amount_off_subscription
            when subscription_amount = 0 then 0
            else
                cast(amount_off_subscription as double)
                * cast(interval_amount as double) / cast(subscription_amount as double)
        end as decimal(18, 6)
    ) as amount_off
from summed
