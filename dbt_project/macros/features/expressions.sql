{#
    Charter: the few shapes that features are written in. Each keeps unknown unknown: a null in is a null out, and
    nothing is divided by nothing. Not here: which features exist (int_account_features).
#}

{# Whole days from a date to the observation. #}
{% macro days_since(observed_on, day) -%}
    {{ at_most_two_years(dbt.datediff(day, observed_on, 'day')) }}
{%- endmacro %}

{# Two years ago and ten years ago are the same news; without the cap one old account outweighs all others. #}
{% macro at_most_two_years(days) -%}
    case when {{ days }} > 730 then 730 else {{ days }} end
{%- endmacro %}

{# 1 or 0. #}
{% macro as_flag(condition) -%}
    case when {{ condition }} then 1 when not ({{ condition }}) then 0 end
{%- endmacro %}

{# Change against a baseline of the account itself: 0 is unchanged, -1 is gone. #}
{% macro relative_change(now, before) -%}
    case when {{ before }} > 0 then cast({{ now }} as double) / {{ before }} - 1 end
{%- endmacro %}
