with

-- One scan grouped by two dates: what follows is small whatever the number of events.
days as (
    select
        usage_on,
        cast(known_at as date) as known_on,
        count(*) as usage_rows,
        {%- for months in range(4) %}
            sum(events_after_{{ months }}m) as events_after_{{ months }}m,
        {%- endfor %}
        sum(events) as events
    from {{ ref('input_usage_daily') }}
    where usage_on <= {{ as_of_date() }}
    group by usage_on, cast(known_at as date)
),

months_later as (
    {{ months_later(3) }}
),

months as (
    select distinct
        {{ month_end(months_after('days.usage_on', 'months_later.months_later')) }} as month_end_on
    from days
    cross join months_later
),

observations as (
    select
        month_end_on,
        least(month_end_on, {{ as_of_date() }}) as observed_on
    from months
    where month_end_on <= {{ month_end(as_of_date()) }}
)

select
    observations.observed_on,
    observations.month_end_on,
    cast(sum(days.usage_rows) as bigint) as window_rows,
    cast(sum({{ events_known_by('observations.month_end_on', 'days') }}) as bigint) as window_events
from observations
inner join days
    on
        observations.observed_on >= days.usage_on
        and observations.observed_on >= days.known_on
        and days.usage_on > {{ days_after('observations.observed_on', -90) }}
group by observations.observed_on, observations.month_end_on
