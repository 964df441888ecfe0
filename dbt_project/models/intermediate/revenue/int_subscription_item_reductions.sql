{% set log_kept = 'case when percent_off < 100 then '
    ~ exact('ln(1 - cast(percent_off as double) / 100)') ~ ' end' %}

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

reduced as (
    select distinct subscription_id
    from discounts
),

applied as (
    select
        spans.subscription_item_id,
        spans.valid_from,
        discounts.percent_off,
        discounts.amount_off,
        discounts.is_of_customer,
        discounts.subscription_item_id is not null as is_of_item
    from spans
    inner join discounts
        on
            spans.subscription_id = discounts.subscription_id
            and spans.valid_from >= discounts.valid_from
            and (discounts.valid_to is null or spans.valid_from < discounts.valid_to)
            and (
                discounts.subscription_item_id is null
                or spans.subscription_item_id = discounts.subscription_item_id
            )
),

-- All items of a subscription that is ever reduced: what is taken off is shared among them. Joined
-- by keys alone; with "or" among its conditions an outer join compares every row with every other.
in_force as (
    select
        spans.subscription_id,
        spans.subscription_item_id,
        spans.valid_from,
        spans.interval_amount,
        applied.percent_off,
        applied.amount_off,
        applied.is_of_customer,
        coalesce(applied.is_of_item, false) as is_of_item,
        -- The vendor applies a discount of the customer only where the subscription has none of its
        -- own; discounts of items have nothing to do with either.
        max(
            case
                when not applied.is_of_item and not applied.is_of_customer then 1
                else 0
            end
        ) over (partition by spans.subscription_id, spans.valid_from) as has_own
    from spans
    inner join reduced on spans.subscription_id = reduced.subscription_id
    left join applied
        on
            spans.subscription_item_id = applied.subscription_item_id
            and spans.valid_from = applied.valid_from
),

-- Several percentages multiply: each takes its share of what is left.
summed as (
    select
        subscription_id,
        subscription_item_id,
        valid_from,
        cast(max(interval_amount) as double) as interval_amount,
        count(percent_off) as discounts,
        coalesce(sum(case when is_of_item then amount_off end), 0) as amount_off_item,
        coalesce(sum(case when not is_of_item then amount_off end), 0) as amount_off_subscription,
        max(case when is_of_item then percent_off else 0 end) >= 100 as is_free_item,
        max(case when not is_of_item then percent_off else 0 end) >= 100 as is_free_subscription,
        coalesce(sum(case when is_of_item then {{ log_kept }} end), 0) as log_kept_item,
        coalesce(sum(case when not is_of_item then {{ log_kept }} end), 0)
            as log_kept_subscription
    from in_force
    where has_own = 0 or not coalesce(is_of_customer, false)
    group by subscription_id, subscription_item_id, valid_from
),

-- A single percentage is as exact as it was typed.
shares as (
    select
        subscription_id,
        subscription_item_id,
        valid_from,
        interval_amount,
        discounts,
        amount_off_item,
        amount_off_subscription,
        case when is_free_item then 0.0 else {{ stable('exp(log_kept_item)', 14) }} end
            as share_kept_item,
        case
            when is_free_subscription then 0.0
            else {{ stable('exp(log_kept_subscription)', 14) }}
        end as share_kept_subscription
    from summed
),

-- First what belongs to the item: money off, then the percentages of what is left.
after_items as (
    select
        subscription_id,
        subscription_item_id,
        valid_from,
        interval_amount,
        discounts,
        amount_off_item,
        amount_off_subscription,
        share_kept_item,
        share_kept_subscription,
        greatest(interval_amount - cast(amount_off_item as double), 0.0) * share_kept_item
            as item_left
    from shares
),

-- Then what belongs to the subscription, of what its items left together; each carries it in
-- proportion to its own.
together as (
    select
        *,
        sum({{ exact('item_left', 12) }}) over (partition by subscription_id, valid_from)
            as subscription_left
    from after_items
)

select
    subscription_item_id,
    valid_from,
    case
        when subscription_left > 0 and interval_amount > 0
            then item_left
                / interval_amount
                * greatest(subscription_left - cast(amount_off_subscription as double), 0.0)
                / subscription_left
                * share_kept_subscription
        else 0.0
    end as kept,
    cast(amount_off_item as varchar)
    || ' and ' || cast({{ stable('share_kept_item') }} as varchar)
    || ', then ' || cast(amount_off_subscription as varchar)
    || ' and ' || cast({{ stable('share_kept_subscription') }} as varchar) as discount_terms
from together
where discounts > 0
