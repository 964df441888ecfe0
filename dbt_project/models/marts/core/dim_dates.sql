with

bounds as (
    select
        min(started_on) as first_on,
        max(due_on) as last_on
    from {{ ref('fct_contract_terms') }}
),

thousands as (
    {{ digits() }}
),

numbers as (
    {{ thousand_numbers() }}
),

days as (
    select {{ days_after('bounds.first_on', '1000 * thousands.digit + numbers.n') }} as date_on
    from bounds
    cross join thousands
    cross join numbers
)

select
    days.date_on,
    {{ month_end('days.date_on') }} as month_end_on,
    cast(extract(year from days.date_on) as bigint) as year,
    cast(extract(quarter from days.date_on) as bigint) as quarter,
    days.date_on = {{ month_end('days.date_on') }} as is_month_end
from days
cross join bounds
where days.date_on <= greatest(bounds.last_on, {{ as_of_date() }})
