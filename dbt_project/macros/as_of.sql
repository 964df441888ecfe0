{# The clock of the warehouse. Nothing else may ask what time it is. #}
{% macro as_of_date() -%}
    cast('{{ var("as_of") }}' as date)
{%- endmacro %}

{# First instant after the as-of date: compare with `<`, so no fraction of the last second is lost. #}
{% macro as_of_end() -%}
    cast('{{ modules.datetime.date.fromisoformat(var("as_of") | string) + modules.datetime.timedelta(days=1) }} 00:00:00+00:00' as timestamp with time zone)
{%- endmacro %}

{#
    A double as an addend of a sum or an average. Doubles add up to another last digit in each order in which
    threads finish, and a search, a rank or a rounding can make much of a last digit; decimals add up to the same.
#}
{% macro exact(expression, digits=15) -%}
    cast({{ expression }} as decimal(38, {{ digits }}))
{%- endmacro %}

{# The sum of doubles as a double, the same in every order. #}
{% macro exact_sum(expression, digits=15) -%}
    cast(sum({{ exact(expression, digits) }}) as double)
{%- endmacro %}

{# The last digits of a double depend on machine and compiler; rounding keeps a rebuild elsewhere identical. #}
{% macro stable(expression, digits=9) -%}
    round(cast({{ expression }} as double), {{ digits }})
{%- endmacro %}
