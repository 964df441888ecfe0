{# Cuts what a later version says about times after the as-of date. #}

{# A date that had come by the as-of date, else null. #}
{% macro come_by(expression) -%}
    case when {{ expression }} <= {{ as_of_date() }} then {{ expression }} end
{%- endmacro %}

{# An instant that had come by the end of the as-of date, else null. #}
{% macro happened_by(expression) -%}
    case when {{ expression }} < {{ as_of_end() }} then {{ expression }} end
{%- endmacro %}

{# The instant at which a day's fact could first be known, unless the source says otherwise. #}
{% macro known_from(known_at, day) -%}
    coalesce({{ known_at }}, {{ day_start(day) }})
{%- endmacro %}
