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
        sum({{ exact(
            'ln(case when percent_off >= 100 then 1 else 1 - cast(percent_off as double) / 100 end)'
        ) }})
            as log_share_kept,
        sum(case when is_of_item then amount_off else 0 end) as amount_off_item,
        sum(case when is_of_item then 0 else amount_off end) as amount_off_subscription
    from in_force
    where not is_of_customer or are_all_of_customer = 1
    group by subscription_item_id, valid_from
),

kept as (
    select
        subscription_item_id,
        valid_from,
        case
            when greatest_percent_off >= 100 then 0
            -- Several percentages multiply; a single one stays as exact as it was typed.
            when percentages > 1 then round(exp(log_share_kept) * 1000000)
            else round((100 - cast(greatest_percent_off as double)) * 10000)
        end as kept_millionths,
        cast(round(interval_amount * 100) as double) as item_cents,
        cast(round(subscription_amount * 100) as double) as subscription_cents,
        cast(amount_off_item * 100 as double) as item_cents_off,
        cast(amount_off_subscription * 100 as double) as subscription_cents_off
    from summed
)

-- The share kept as a quotient. Money off a subscription is carried by its items in proportion to
-- their value, so each keeps the same share of its own.
select
    subscription_item_id,
    valid_from,
    case
        when item_cents_off = 0 and subscription_cents_off = 0 then kept_millionths
        when item_cents_off = 0
            then greatest(subscription_cents - subscription_cents_off, 0)
                * kept_millionths
                / 1000000
        else
            greatest(item_cents - item_cents_off, 0) / item_cents
            * greatest(subscription_cents - subscription_cents_off, 0) * kept_millionths / 1000000
    end as kept,
    case
        when item_cents_off = 0 and subscription_cents_off = 0 then 1000000
        else subscription_cents
    end as kept_of
from kept
where subscription_cents > 0 and item_cents > 0
