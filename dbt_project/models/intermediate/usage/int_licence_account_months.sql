with

observations as (
    select
        account_id,
        observed_on,
        month_end_on,
        {{ day_start(days_after('observed_on', 1)) }} as closes_at
    from {{ ref('int_account_observations') }}
),

-- Seats are what a licensed price counts; metered and tiered-by-use prices count something else.
seat_prices as (
    select price_id
    from {{ ref('input_prices') }}
    where usage_type = 'licensed'
),

in_force as (
    select
        subscription_id,
        billing_customer_id,
        valid_from,
        valid_to
    from {{ ref('input_subscription_versions') }}
    where status in ('active', 'trialing', 'past_due', 'paused')
),

items as (
    select
        items.subscription_item_id,
        items.subscription_id,
        items.quantity,
        items.valid_from,
        items.valid_to
    from {{ ref('input_subscription_items') }} as items
    inner join seat_prices on items.price_id = seat_prices.price_id
),

seats as (
    select
        customers.account_id,
        items.quantity,
        greatest(items.valid_from, in_force.valid_from) as valid_from,
        least(
            coalesce(items.valid_to, cast('9999-12-31' as {{ type_instant() }})),
            coalesce(in_force.valid_to, cast('9999-12-31' as {{ type_instant() }}))
        ) as valid_to
    from items
    inner join in_force on items.subscription_id = in_force.subscription_id
    inner join {{ ref('int_billing_customer_map') }} as customers
        on in_force.billing_customer_id = customers.billing_customer_id
    where customers.account_id is not null
)

select
    observations.account_id,
    observations.observed_on,
    observations.month_end_on,
    cast(sum(seats.quantity) as bigint) as licences
from observations
inner join seats
    on
        observations.account_id = seats.account_id
        and {{ in_force_at_close('seats.valid_from', 'seats.valid_to', 'observations.closes_at') }}
group by observations.account_id, observations.observed_on, observations.month_end_on
