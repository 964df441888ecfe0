{# Outcomes of several CTEs, one below the other; whether it was kept is told only of what counts. #}
{% macro counted_outcomes(relations) -%}
    {% for relation in relations -%}
        select
            program_id,
            account_id,
            outcome_measure,
            contract_term_id,
            enrolled_on,
            falls_on,
            final_on,
            arm,
            counting,
            case when counting = 'counted' then is_kept end as is_kept
        from {{ relation }}
        {{ 'union all' if not loop.last }}
    {% endfor %}
{%- endmacro %}
