{# What engines write differently. Models call these and stay plain SQL. Here: one macro an idea, one
   implementation an engine. Not here: any rule of the business. #}

{# Text at a key of a JSON object kept as text. #}
{% macro json_text(column, key) -%}
    {{ return(adapter.dispatch('json_text')(column, key)) }}
{%- endmacro %}

{% macro default__json_text(column, key) -%}
    json_extract_string({{ column }}, '$.{{ key }}')
{%- endmacro %}

{% macro spark__json_text(column, key) -%}
    get_json_object({{ column }}, '$.{{ key }}')
{%- endmacro %}

{# Texts at several keys, separated by commas. #}
{% macro json_texts(column, keys) -%}
    {% for key in keys %}{{ json_text(column, key) }}{% if not loop.last %}, {% endif %}{% endfor %}
{%- endmacro %}

{# First instant (UTC) of a date. #}
{% macro day_start(day) -%}
    {{ return(adapter.dispatch('day_start')(day)) }}
{%- endmacro %}

{% macro default__day_start(day) -%}
    cast({{ day }} as timestamp with time zone)
{%- endmacro %}

{% macro spark__day_start(day) -%}
    cast({{ day }} as timestamp)
{%- endmacro %}

{# UTC date of an instant; sessions run in UTC. #}
{% macro utc_date(instant) -%}
    cast({{ instant }} as date)
{%- endmacro %}

{# Typed null and typed instants under one name, as engines call the type differently. #}
{% macro type_instant() -%}
    {{ return(adapter.dispatch('type_instant')()) }}
{%- endmacro %}

{% macro default__type_instant() -%}
    timestamp with time zone
{%- endmacro %}

{% macro spark__type_instant() -%}
    timestamp
{%- endmacro %}
