with

versions as (
    select valid_from from {{ ref('input_subscription_versions') }}
),

numbers as (
    {{ thousand_numbers() }}
),

first_month as (
    select {{ month_end(utc_date('min(valid_from)')) }} as month_end_on
    from versions
),

months as (
    select
        {{ month_end(months_after('first_month.month_end_on', 'numbers.n')) }} as month_end_on,
        cast(numbers.n as bigint) as month_number
    from first_month
    cross join numbers
)

select
    month_number,
    {{ month_end(months_after('month_end_on', -1)) }} as previous_month_end_on,
    month_end_on,
    {{ month_end(months_after('month_end_on', 1)) }} as next_month_end_on,
    {{ day_start(days_after('month_end_on', 1)) }} as closes_at,
    {{ days_after('month_end_on', var('month_close_days')) }} as reported_from_on
from months
where month_end_on <= {{ as_of_date() }}
