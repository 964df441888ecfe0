{# Texts compared: folding, patterns, likeness. Engines write these differently. Not here: what is compared. #}

{# Lower case without accents. #}
{% macro folded(text) -%}
    {{ return(adapter.dispatch('folded')(text)) }}
{%- endmacro %}

{% macro default__folded(text) -%}
    strip_accents(lower({{ text }}))
{%- endmacro %}

{% macro spark__folded(text) -%}
    translate(lower({{ text }}), 'àáâãäåçèéêëìíîïñòóôõöøùúûüýÿ', 'aaaaaaceeeeiiiinoooooouuuuyy')
{%- endmacro %}

{# Every match of a pattern replaced. #}
{% macro replaced(text, pattern, by='') -%}
    {{ return(adapter.dispatch('replaced')(text, pattern, by)) }}
{%- endmacro %}

{% macro default__replaced(text, pattern, by) -%}
    regexp_replace({{ text }}, '{{ pattern }}', '{{ by }}', 'g')
{%- endmacro %}

{% macro spark__replaced(text, pattern, by) -%}
    regexp_replace({{ text }}, '{{ pattern }}', '{{ by }}')
{%- endmacro %}

{# First piece of a text cut at a separator. #}
{% macro before(text, separator) -%}
    {{ dbt.split_part(text, "'" ~ separator ~ "'", 1) }}
{%- endmacro %}

{# Likeness of two short texts, 0-1: Jaro-Winkler (Winkler 1990), where the engine has it. #}
{% macro likeness(left_text, right_text) -%}
    {{ return(adapter.dispatch('likeness')(left_text, right_text)) }}
{%- endmacro %}

{% macro default__likeness(left_text, right_text) -%}
    jaro_winkler_similarity({{ left_text }}, {{ right_text }})
{%- endmacro %}

{% macro spark__likeness(left_text, right_text) -%}
    1 - levenshtein({{ left_text }}, {{ right_text }})
    / greatest(length({{ left_text }}), length({{ right_text }}))
{%- endmacro %}

{# Logarithm to the base 2, rounded so that the order of threads cannot show. #}
{% macro bits(ratio) -%}
    round(ln({{ ratio }}) / ln(2), 6)
{%- endmacro %}

{# Stops the statement with a message. #}
{% macro raised(message) -%}
    {{ return(adapter.dispatch('raised')(message)) }}
{%- endmacro %}

{% macro default__raised(message) -%}
    error({{ message }})
{%- endmacro %}

{% macro spark__raised(message) -%}
    raise_error({{ message }})
{%- endmacro %}
