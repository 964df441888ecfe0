{#
    Charter: how a fact is placed in the month-by-month measures. A fact is visible at an observation when it had
    happened and was known by the end of that day; windows then count back from the observation by the date of the
    event. Dates only; the day of an instant is its UTC day.
#}

{# Day from which a fact may be used: the later of the day it happened and the day it could first be known. #}
{% macro visible_on(event, known_at) -%}
    greatest(cast({{ event }} as date), cast({{ known_at }} as date))
{%- endmacro %}

{# Months since year 0, so that a month and its neighbours join on equality. #}
{% macro month_index(day) -%}
    cast(extract(year from {{ day }}) * 12 + extract(month from {{ day }}) as bigint)
{%- endmacro %}

{# 0 .. last as a select with one column months_later: joined to facts, it turns a window into an equality join. #}
{% macro months_later(last) -%}
    {%- for offset in range(last + 1) -%}
        select {{ offset }} as months_later{{ ' union all ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}

{# Is a date inside the last n days up to and including the observation? #}
{% macro within_days(event_on, observed_on, days) -%}
    {{ event_on }} > {{ days_after(observed_on, 0 - days) }}
{%- endmacro %}

{# Does a text of roles separated by ';' hold the role? #}
{% macro has_role(roles, role) -%}
    ';' || replace({{ roles }}, ' ', '') || ';' like '%;{{ role }};%'
{%- endmacro %}

{# Hours from one instant to another, to the second; null while the later one has not happened. #}
{% macro hours_between(earlier, later) -%}
    {{ dbt.datediff(earlier, later, 'second') }} / 3600.0
{%- endmacro %}
