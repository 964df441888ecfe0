{# Lists kept as text, and times kept as numbers. Engines unfold and read them differently. Not here:
   what is in the lists. #}

{# One row for each part of a text, in a select list. #}
{% macro each_part(text, separator) -%}
    {{ return(adapter.dispatch('each_part')(text, separator)) }}
{%- endmacro %}

{% macro default__each_part(text, separator) -%}
    unnest(string_split({{ text }}, '{{ separator }}'))
{%- endmacro %}

{% macro spark__each_part(text, separator) -%}
    explode(split({{ text }}, '{{ separator }}'))
{%- endmacro %}

{# One row for each object of a JSON list, itself as JSON text, in a select list. #}
{% macro each_json_object(text) -%}
    {{ return(adapter.dispatch('each_json_object')(text)) }}
{%- endmacro %}

{% macro default__each_json_object(text) -%}
    unnest(from_json({{ text }}, '["json"]'))
{%- endmacro %}

{% macro spark__each_json_object(text) -%}
    explode(from_json({{ text }}, 'array<string>'))
{%- endmacro %}

{# The instant of a number of milliseconds since 1970. #}
{% macro instant_of_milliseconds(number) -%}
    {{ return(adapter.dispatch('instant_of_milliseconds')(number)) }}
{%- endmacro %}

{% macro default__instant_of_milliseconds(number) -%}
    make_timestamptz(cast({{ number }} as bigint) * 1000)
{%- endmacro %}

{% macro spark__instant_of_milliseconds(number) -%}
    timestamp_millis(cast({{ number }} as bigint))
{%- endmacro %}
