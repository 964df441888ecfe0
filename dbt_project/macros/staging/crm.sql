{# Rows of whichever CRM has landed: both stagings have the columns named, and the one of a CRM that
   the company does not use is empty. Not here: what a column of either vendor means. #}
{% macro of_either_crm(salesforce, hubspot, columns) -%}
    {% for model in ['stg_salesforce__' ~ salesforce, 'stg_hubspot__' ~ hubspot] -%}
    select
        {%- for column in columns %}
        {{ column }}{% if not loop.last %},{% endif %}
        {%- endfor %}
    from {{ ref(model) }}
    {%- if not loop.last %}
    union all
    {% endif %}
    {%- endfor %}
{%- endmacro %}
