with landed as (
    select
        upper(currency) as currency,
        cast(valid_from as date) as valid_from,
        usd_per_unit,
        row_number() over (
            partition by upper(currency), valid_from order by version_at desc
        ) as rate_number
    from {{ ref('stg_desk__fx_rates') }}
),

dollars as (
    select count(*) as listed
    from landed
    where currency = 'USD'
),

rates as (
    select
        currency,
        valid_from,
        usd_per_unit
    from landed
    where rate_number = 1
    union all
    -- The US dollar needs no list of rates.
    select
        'USD' as currency,
        cast('1970-01-01' as date) as valid_from,
        cast(1 as double) as usd_per_unit
    from dollars
    where dollars.listed = 0
),

ranked as (
    select
        *,
        row_number() over (
            partition by currency
            order by
                {% if var('fx_reference_on', none) -%}
                case
                    when valid_from <= cast('{{ var("fx_reference_on") }}' as date) then 0 else 1
                end,
                case
                    when valid_from <= cast('{{ var("fx_reference_on") }}' as date) then valid_from
                end desc,
                {% endif -%}
                valid_from
        ) as reference_rank
    from rates
)

select
    currency,
    valid_from,
    usd_per_unit,
    reference_rank = 1 as is_reference
from ranked
-- The reference rate is a convention and holds for all times, later rates were not known then.
where reference_rank = 1 or valid_from <= {{ as_of_date() }}
