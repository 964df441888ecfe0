{# Reads one number out of the inputs text of a scenario, null where the scenario has none of that name. #}
{% macro scenario_input(name) -%}
    cast(
        nullif({{ dbt.split_part(
            dbt.split_part("concat(';', definitions.inputs)", "';" ~ name ~ "='", 2), "';'", 1
        ) }}, '') as double
    )
{%- endmacro %}
