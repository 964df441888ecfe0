{#
    Charter: where accounts stand among those of the same month. Each value is ranked once and given to all who have
    it: values are fewer than accounts and carry nothing with them, so that sorting them is cheap. What is joined to
    them on month and value has no rank where its measure is unknown.
#}

{# For each measure a CTE `by_<measure>`, followed by a comma. #}
{% macro percentile_ctes(relation, measures) -%}
{% for measure in measures %}
by_{{ measure }} as (
    {{ percentiles_among(relation, measure) }}
),
{% endfor %}
{%- endmacro %}

{# Each value and its rank among the accounts of the month that have one, 0 to 1, as percent_rank() says. #}
{% macro percentiles_among(relation, measure) -%}
    select
        month_end_on,
        measure,
        case
            when sum(accounts) over (partition by month_end_on) > 1
                then
                    cast(
                        sum(accounts) over (
                            partition by month_end_on
                            order by measure
                            rows unbounded preceding
                        )
                        - accounts as double
                    )
                    / cast(sum(accounts) over (partition by month_end_on) - 1 as double)
            else 0.0
        end as percentile
    from {{ counted_values(relation, measure) }}
{%- endmacro %}

{# Each value and its place among the accounts of the month, the highest first, as rank() says. #}
{% macro places_by(relation, measure) -%}
    select
        month_end_on,
        measure,
        1 - accounts + sum(accounts) over (
            partition by month_end_on
            order by measure desc
            rows unbounded preceding
        ) as place
    from {{ counted_values(relation, measure) }}
{%- endmacro %}

{% macro counted_values(relation, measure) -%}
    (
        select
            month_end_on,
            {{ measure }} as measure,
            count(*) as accounts
        from {{ relation }}
        where {{ measure }} is not null
        group by month_end_on, {{ measure }}
    ) as counted_values
{%- endmacro %}
