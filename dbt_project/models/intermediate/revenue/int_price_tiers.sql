with

prices as (
    select
        price_id,
        currency,
        tiers_mode,
        tiers
    from {{ ref('input_prices') }}
    where tiers is not null and interval is not null and usage_type = 'licensed'
),

unfolded as (
    select
        price_id,
        currency,
        tiers_mode,
        {{ each_json_object('tiers') }} as tier
    from prices
),

-- The vendor writes either form of an amount, and the decimal one always; none at all is nothing.
tiers as (
    select
        price_id,
        currency,
        tiers_mode,
        cast({{ json_text('tier', 'up_to') }} as bigint) as up_to,
        coalesce(
            {{ json_texts('tier', ['unit_amount_decimal', 'unit_amount']) }}, '0'
        ) as unit_amount_minor,
        coalesce(
            {{ json_texts('tier', ['flat_amount_decimal', 'flat_amount']) }}, '0'
        ) as flat_amount_minor
    from unfolded
)

select
    price_id,
    tiers_mode,
    coalesce(
        lag(up_to) over (partition by price_id order by up_to asc nulls last), 0
    ) as above_quantity,
    up_to as to_quantity,
    {{ major_unit_price('unit_amount_minor', 'currency') }} as unit_amount,
    {{ major_unit_price('flat_amount_minor', 'currency') }} as flat_amount
from tiers
