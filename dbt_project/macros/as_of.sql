{# The clock of the warehouse. Nothing else may ask what time it is. #}
{% macro as_of_date() -%}
    cast('{{ var("as_of") }}' as date)
{%- endmacro %}

{# First instant after the as-of date: compare with `<`, so no fraction of the last second is lost. #}
{% macro as_of_end() -%}
    cast('{{ modules.datetime.date.fromisoformat(var("as_of") | string) + modules.datetime.timedelta(days=1) }} 00:00:00+00:00' as timestamp with time zone)
{%- endmacro %}

{# Sums of doubles depend on the order threads finish in; rounding keeps a rerun identical. #}
{% macro stable(expression, digits=9) -%}
    round(cast({{ expression }} as double), {{ digits }})
{%- endmacro %}
