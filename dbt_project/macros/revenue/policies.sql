{#
    Charter: the one way in which a model asks for a policy of the metric definitions. The defaults stand in
    dbt_project.yml; alternatives, authorities and reasons in the seed metric_policies, against which a test
    holds every value in use.
#}

{# True while the policy has the value given: decided at compile time, so that the other branch leaves no trace in SQL. #}
{% macro policy_is(policy, value) -%}
    {{ return(var('policy_' ~ policy) == value) }}
{%- endmacro %}
