{# Items of a JSON array of objects kept as text; positions count from 0, and one past the end is null. #}

{# Text at a key of the item. #}
{% macro json_item_text(column, position, key) -%}
    {{ return(adapter.dispatch('json_item_text')(column, position, key)) }}
{%- endmacro %}

{% macro default__json_item_text(column, position, key) -%}
    json_extract_string({{ column }}, '$[{{ position }}].{{ key }}')
{%- endmacro %}

{% macro spark__json_item_text(column, position, key) -%}
    get_json_object({{ column }}, '$[{{ position }}].{{ key }}')
{%- endmacro %}
