-- The vendor keeps no history of an item. From the first landed version on, versions are the
-- history; before it, invoice lines are: every change inside a period is prorated, so the newest
-- line that is no credit says price and quantity from the start of its period.
with versions as (
    select
        *,
        row_number() over (partition by subscription_item_id order by version_at) as version_number
    from {{ ref('stg_stripe__subscription_items') }}
),

subscriptions as (
    select distinct
        subscription_id,
        started_at,
        ended_at
    from {{ ref('input_subscription_versions') }}
),

subscription_creations as (
    select
        subscription_id,
        min(created_at) as created_at
    from {{ ref('stg_stripe__subscriptions') }}
    group by subscription_id
),

-- An item made with its subscription is as old as the service, which may be back-dated.
items as (
    select
        versions.subscription_item_id,
        versions.subscription_id,
        versions.price_id,
        versions.quantity,
        versions.is_deleted,
        versions.version_at as first_version_at,
        case
            when
                subscription_creations.created_at is null
                or versions.created_at <= subscription_creations.created_at
                then coalesce(subscriptions.started_at, versions.created_at)
            else versions.created_at
        end as added_at
    from versions
    left join subscriptions on versions.subscription_id = subscriptions.subscription_id
    left join subscription_creations
        on versions.subscription_id = subscription_creations.subscription_id
    where versions.version_number = 1
),

lines as (
    select
        lines.subscription_item_id,
        lines.subscription_id,
        lines.invoice_line_id,
        lines.price_id,
        lines.quantity,
        lines.period_start_at,
        lines.period_end_at,
        invoices.created_at as invoiced_at,
        invoices.status = 'void' as is_void,
        coalesce(lines.is_credit_proration, false)
        or (coalesce(lines.is_proration, false) and lines.amount < 0) as is_credit
    from {{ ref('stg_stripe__invoice_lines') }} as lines
    inner join {{ ref('stg_stripe__invoices') }} as invoices
        on lines.invoice_id = invoices.invoice_id
    where
        lines.subscription_item_id is not null
        and lines.period_start_at < {{ as_of_end() }}
        and invoices.status <> 'deleted'
),

-- An item that is no longer on its subscription and was not credited ended with the last period
-- billed.
last_periods as (
    select
        lines.subscription_item_id,
        lines.subscription_id,
        max(lines.period_end_at) as period_end_at
    from lines
    left join items on lines.subscription_item_id = items.subscription_item_id
    where items.subscription_item_id is null and not lines.is_credit
    group by lines.subscription_item_id, lines.subscription_id
),

derived as (
    select
        subscription_item_id,
        subscription_id,
        price_id,
        quantity,
        period_start_at as happened_at,
        false as is_removed,
        case when is_void then 3 else 4 end as weight,
        invoiced_at as told_at,
        invoice_line_id as tie_break
    from lines
    where not is_credit and price_id is not null
    union all
    -- A credit with no line beside it: the item was taken off, and nothing put in its place.
    select
        subscription_item_id,
        subscription_id,
        price_id,
        quantity,
        period_start_at as happened_at,
        true as is_removed,
        2 as weight,
        invoiced_at as told_at,
        invoice_line_id as tie_break
    from lines
    where is_credit
    union all
    select
        subscription_item_id,
        subscription_id,
        cast(null as varchar) as price_id,
        cast(null as bigint) as quantity,
        period_end_at as happened_at,
        true as is_removed,
        1 as weight,
        period_end_at as told_at,
        '' as tie_break
    from last_periods
),

points as (
    select
        derived.subscription_item_id,
        derived.subscription_id,
        derived.price_id,
        derived.quantity,
        derived.happened_at,
        derived.is_removed,
        derived.weight,
        derived.told_at,
        derived.tie_break,
        items.added_at
    from derived
    left join items on derived.subscription_item_id = items.subscription_item_id
    where items.first_version_at is null or derived.happened_at < items.first_version_at
    union all
    select
        versions.subscription_item_id,
        versions.subscription_id,
        versions.price_id,
        versions.quantity,
        versions.version_at as happened_at,
        versions.is_deleted as is_removed,
        5 as weight,
        versions.version_at as told_at,
        '' as tie_break,
        items.added_at
    from versions
    inner join items on versions.subscription_item_id = items.subscription_item_id
    -- Known later than the as-of date, a version still tells of an item that no line tells of.
    where versions.is_known_version or versions.version_number = 1
),

weighed as (
    select
        *,
        row_number() over (
            partition by subscription_item_id, happened_at
            order by weight desc, told_at desc, tie_break desc
        ) as preference,
        min(happened_at) over (partition by subscription_item_id) as first_happened_at
    from points
),

-- The first state known holds from the day the item was added.
dated as (
    select
        subscription_item_id,
        subscription_id,
        price_id,
        quantity,
        is_removed,
        case
            when happened_at = first_happened_at and added_at < happened_at then added_at
            else happened_at
        end as happened_at
    from weighed
    where preference = 1
),

compared as (
    select
        *,
        lag(is_removed) over (
            partition by subscription_item_id order by happened_at
        ) as was_removed,
        lag(price_id) over (
            partition by subscription_item_id order by happened_at
        ) as previous_price_id,
        lag(quantity) over (
            partition by subscription_item_id order by happened_at
        ) as previous_quantity
    from dated
    where happened_at < {{ as_of_end() }}
),

changes as (
    select
        *,
        lead(happened_at) over (
            partition by subscription_item_id order by happened_at
        ) as next_happened_at
    from compared
    where
        was_removed is null
        or was_removed <> is_removed
        or (
            not is_removed
            and (
                previous_price_id <> price_id
                or coalesce(previous_quantity, 0) <> coalesce(quantity, 0)
            )
        )
)

select
    changes.subscription_item_id,
    changes.subscription_id,
    changes.price_id,
    prices.plan_id,
    coalesce(changes.quantity, 0) as quantity,
    changes.happened_at as valid_from,
    case
        when subscriptions.ended_at < changes.next_happened_at or changes.next_happened_at is null
            then subscriptions.ended_at
        else changes.next_happened_at
    end as valid_to,
    changes.happened_at as known_at
from changes
left join {{ ref('input_prices') }} as prices on changes.price_id = prices.price_id
left join subscriptions on changes.subscription_id = subscriptions.subscription_id
where
    not changes.is_removed
    and changes.price_id is not null
    and (subscriptions.ended_at is null or changes.happened_at < subscriptions.ended_at)
