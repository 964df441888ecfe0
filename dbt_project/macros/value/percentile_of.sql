{# Rank among the accounts of the month that have the measure, 0 to 1; an unknown measure has no rank. #}
{% macro percentile_of(measure) -%}
    case
        when {{ measure }} is not null
            then percent_rank() over (
                partition by month_end_on, case when {{ measure }} is null then 0 else 1 end
                order by {{ measure }}
            )
    end
{%- endmacro %}
