{#
    Charter: months and anniversaries of the revenue models. Dates only, UTC, no clock.
    A month-end is the last instant of its calendar month: a state counts when it began before the first instant of
    the next month and had not ended by then.
#}

{# Numbers 0 .. 999 as a select with one column n; ANSI, so that every engine draws the same rows. #}
{% macro thousand_numbers() -%}
    select hundreds.digit * 100 + tens.digit * 10 + ones.digit as n
    from ({{ digits() }}) as ones
    cross join ({{ digits() }}) as tens
    cross join ({{ digits() }}) as hundreds
{%- endmacro %}

{% macro digits() -%}
    {%- for digit in range(10) -%}
        select {{ digit }} as digit{{ ' union all ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}

{# Last day of the month of a date. #}
{% macro month_end(day) -%}
    cast({{ dbt.last_day(day, 'month') }} as date)
{%- endmacro %}

{# The day n months after a date: the month's last day where the month is shorter. Count always from the original
   date, so that an anniversary of the 31st returns to the 31st after February. #}
{% macro months_after(day, months) -%}
    cast({{ dbt.dateadd('month', months, 'cast(' ~ day ~ ' as date)') }} as date)
{%- endmacro %}

{# The day n days after a date. #}
{% macro days_after(day, days) -%}
    cast({{ dbt.dateadd('day', days, 'cast(' ~ day ~ ' as date)') }} as date)
{%- endmacro %}

{# Calendar months from one date to another, ignoring days. #}
{% macro months_between(first_day, last_day) -%}
    (
        (extract(year from {{ last_day }}) - extract(year from {{ first_day }})) * 12
        + extract(month from {{ last_day }}) - extract(month from {{ first_day }})
    )
{%- endmacro %}

{# Was a range [valid_from, valid_to) in force at the last instant before `closes_at`? Each side of a comparison names
   one table only: with "is null or" an outer join compares every row with every other. #}
{% macro in_force_at_close(valid_from, valid_to, closes_at) -%}
    {{ valid_from }} < {{ closes_at }}
    and coalesce({{ valid_to }}, {{ day_start("'9999-12-31'") }}) >= {{ closes_at }}
{%- endmacro %}

{# The newest month-end that had happened by the end of a day: the day itself when it is one. #}
{% macro last_month_end(day) -%}
    {{ month_end(months_after(days_after(day, 1), -1)) }}
{%- endmacro %}
