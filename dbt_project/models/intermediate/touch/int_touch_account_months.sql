with

observations as (
    select
        account_id,
        observed_on,
        month_end_on,
        month_number
    from {{ ref('int_account_observations') }}
),

touches as (
    select
        account_id,
        event_on,
        visible_on,
        acknowledged_on,
        activity_type,
        employee_function,
        duration_minutes,
        is_two_way,
        has_director_plus as has_director
    from {{ ref('int_touches') }}
    where account_id is not null
),

months_later as (
    {{ months_later(12) }}
),

recent as (
    select
        observations.account_id,
        observations.observed_on,
        {{ month_index('touches.event_on') }} = observations.month_number as is_in_month,
        {{ within_days('touches.event_on', 'observations.observed_on', 90) }} as is_in_90d,
        touches.event_on,
        touches.activity_type,
        touches.employee_function,
        touches.duration_minutes,
        touches.is_two_way,
        touches.has_director,
        touches.acknowledged_on <= observations.observed_on as is_acknowledged
    from touches
    cross join months_later
    inner join observations
        on
            touches.account_id = observations.account_id
            and {{ month_index('touches.event_on') }} + months_later.months_later
            = observations.month_number
    where
        touches.visible_on <= observations.observed_on
        and {{ within_days('touches.event_on', 'observations.observed_on', 365) }}
),

-- Counted, not summed: a sum keeps four times as much for each of a million groups.
windows as (
    select
        account_id,
        observed_on,
        count(case when is_in_month then 1 end) as touches,
        count(case when is_in_month and is_two_way then 1 end) as two_way_touches,
        count(case when is_in_month and has_director then 1 end) as director_touches,
        count(case when is_in_month and activity_type = 'visit' then 1 end) as visits,
        count(case when is_in_month and activity_type = 'value_report' then 1 end)
            as value_reports,
        count(case when is_in_90d then 1 end) as touches_90d,
        count(case when is_in_90d and is_two_way then 1 end) as two_way_touches_90d,
        count(case when is_in_90d and has_director then 1 end) as director_touches_90d,
        count(case when is_in_90d and activity_type = 'value_report' then 1 end)
            as value_reports_90d,
        count(
            case
                when
                    is_in_90d and activity_type = 'value_report'
                    and has_director and is_acknowledged
                    then 1
            end
        ) as exec_acknowledged_reports_90d,
        count(*) as touches_12m,
        count(case when is_two_way then 1 end) as two_way_touches_12m,
        count(case when has_director then 1 end) as director_touches_12m,
        count(case when is_two_way and has_director then 1 end) as two_way_director_touches_12m,
        count(case when employee_function = 'sales' then 1 end) as sales_touches_12m,
        count(case when employee_function = 'cs' then 1 end) as cs_touches_12m,
        count(case when employee_function = 'executive' then 1 end) as executive_touches_12m,
        count(case when activity_type = 'visit' then 1 end) as visits_12m,
        count(case when activity_type = 'qbr' then 1 end) as qbrs_12m,
        count(case when activity_type = 'training' then 1 end) as trainings_12m,
        count(case when activity_type = 'social' then 1 end) as social_touches_12m,
        count(case when activity_type = 'value_report' then 1 end) as value_reports_12m,
        count(case when activity_type = 'value_report' and is_acknowledged then 1 end)
            as acknowledged_reports_12m,
        count(
            case
                when activity_type = 'value_report' and is_acknowledged and has_director then 1
            end
        ) as exec_acknowledged_reports_12m,
        sum(duration_minutes) / 60.0 as effort_hours_12m
    from recent
    group by account_id, observed_on
),

-- "Last ever" needs no window: what became visible in a month is carried forward from there.
visible_by_month as (
    select
        account_id,
        {{ month_index('visible_on') }} as month_number,
        max(event_on) as touch_on,
        max(case when is_two_way then event_on end) as two_way_touch_on,
        max(case when has_director then event_on end) as director_touch_on,
        max(case when has_director and is_two_way then event_on end)
            as two_way_director_touch_on,
        max(case when activity_type = 'visit' then event_on end) as visit_on,
        max(case when activity_type = 'value_report' then event_on end) as value_report_on
    from touches
    group by account_id, {{ month_index('visible_on') }}
),

-- Touches of the sales cycle lie before the first observation and count from it on.
months as (
    select
        account_id,
        month_number
    from observations
    union
    select
        account_id,
        month_number
    from visible_by_month
),

last_touches as (
    select
        months.account_id,
        {% for kind in [
            'touch', 'two_way_touch', 'director_touch', 'two_way_director_touch', 'visit',
            'value_report',
        ] -%}
            max(visible_by_month.{{ kind }}_on) over (
                partition by months.account_id
                order by months.month_number
                rows unbounded preceding
            ) as last_{{ kind }}_on,
        {% endfor -%}
        months.month_number
    from months
    left join visible_by_month
        on
            months.account_id = visible_by_month.account_id
            and months.month_number = visible_by_month.month_number
),

-- Zero touches is a fact only where activities are recorded at all.
coverage as (
    select
        min(visible_on) as recorded_from_on,
        -- No director among them is one only where it is known who took part, and at which level.
        count(has_director_plus) > 0 as are_levels_recorded
    from {{ ref('int_touches') }}
)

select
    observations.account_id,
    observations.observed_on,
    observations.month_end_on,
    last_touches.last_touch_on,
    last_touches.last_two_way_touch_on,
    last_touches.last_director_touch_on,
    last_touches.last_two_way_director_touch_on,
    last_touches.last_visit_on,
    last_touches.last_value_report_on,
    {% for measure in [
        'touches', 'two_way_touches', 'director_touches', 'visits', 'value_reports',
        'touches_90d', 'two_way_touches_90d', 'director_touches_90d', 'value_reports_90d',
        'exec_acknowledged_reports_90d',
        'touches_12m', 'two_way_touches_12m', 'director_touches_12m',
        'two_way_director_touches_12m',
        'sales_touches_12m', 'cs_touches_12m', 'executive_touches_12m',
        'visits_12m', 'qbrs_12m', 'trainings_12m', 'social_touches_12m',
        'value_reports_12m', 'acknowledged_reports_12m', 'exec_acknowledged_reports_12m',
    ] -%}
        case
            when
                observations.observed_on >= coverage.recorded_from_on
                {% if 'director' in measure or 'exec_' in measure -%}
                    and coverage.are_levels_recorded
                {%- endif %}
                then cast(coalesce(windows.{{ measure }}, 0) as bigint)
        end as {{ measure }},
    {% endfor -%}
    {{ stable('windows.effort_hours_12m') }} as effort_hours_12m,
    {{ dbt.datediff('last_touches.last_touch_on', 'observations.observed_on', 'day') }}
        as days_since_touch,
    {{ dbt.datediff('last_touches.last_two_way_touch_on', 'observations.observed_on', 'day') }}
        as days_since_two_way_touch,
    {{ dbt.datediff('last_touches.last_director_touch_on', 'observations.observed_on', 'day') }}
        as days_since_director_touch,
    {{ dbt.datediff(
        'last_touches.last_two_way_director_touch_on', 'observations.observed_on', 'day'
    ) }}
        as days_since_two_way_director_touch
from observations
inner join last_touches
    on
        observations.account_id = last_touches.account_id
        and observations.month_number = last_touches.month_number
cross join coverage
left join windows
    on
        observations.account_id = windows.account_id
        and observations.observed_on = windows.observed_on
