{#
    Charter: the one large scan. Usage seen from a day: the 90 days up to it, as far as known by its end. Every
    model of usage windows starts from these CTEs, so that they agree on the clocks and on what is re-opened.

    A month is kept from night to night while the rows and events of its window stay the same. One new day then
    costs one window, not three years of them; a file that arrives late changes the count and re-opens its months,
    and a rebuild from nothing gives the same tables, because nothing depends on when a row was loaded.
#}

{# Incremental by whole months, on every engine: a month is replaced, never edited. #}
{% macro usage_window_strategy() -%}
    {{ return('insert_overwrite' if target.type == 'spark' else 'delete+insert') }}
{%- endmacro %}

{# Events of a row of daily usage that had arrived by a month's end. A window reaches at most three calendar months
   back, which is as far as daily usage counts its late arrivals. #}
{% macro events_known_by(month_end_on, daily) -%}
    {{ daily }}.events
    - case {{ month_index(month_end_on) }} - {{ month_index(daily ~ '.usage_on') }}
        {%- for months in range(4) %}
            when {{ months }} then {{ daily }}.events_after_{{ months }}m
        {%- endfor %}
        else 0
    end
{%- endmacro %}

{# Two CTEs: `changed` months to compute now, and `seen`, the usage of their windows. Usage without a feature is
   activity and no feature; anonymous usage is activity and no user. #}
{% macro usage_seen_from_changed_months() -%}
changed as (
    select
        windows.observed_on,
        windows.month_end_on,
        windows.window_rows,
        windows.window_events
    from {{ ref('int_usage_windows') }} as windows
    {% if is_incremental() -%}
        left join (
            select distinct
                observed_on,
                window_rows,
                window_events
            from {{ this }}
        ) as kept
            on
                windows.observed_on = kept.observed_on
                and windows.window_rows = kept.window_rows
                and windows.window_events = kept.window_events
        where kept.observed_on is null
    {%- endif %}
),

seen as (
    select
        changed.observed_on,
        changed.month_end_on,
        changed.window_rows,
        changed.window_events,
        daily.workspace_id,
        case when daily.product_user_id <> '(anonymous)' then daily.product_user_id end
            as product_user_id,
        case when daily.feature_id <> '(none)' then daily.feature_id end as feature_id,
        daily.usage_on,
        {{ events_known_by('changed.month_end_on', 'daily') }} as events,
        {{ dbt.datediff('daily.usage_on', 'changed.observed_on', 'day') }} as days_ago
    from changed
    inner join {{ ref('input_usage_daily') }} as daily
        on
            changed.observed_on >= daily.usage_on
            and changed.observed_on >= cast(daily.known_at as date)
            and daily.usage_on > {{ days_after('changed.observed_on', -90) }}
    -- One bound for all windows lets the engine skip the files and row groups before them.
    where
        daily.usage_on > (
            select {{ days_after('min(bounds.observed_on)', -90) }}
            from changed as bounds
        )
)
{%- endmacro %}
