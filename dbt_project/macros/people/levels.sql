{# Charter: the ladder of contact levels. Not here: who stands where on it. #}

{# Rung of a level, 1 the lowest; null for a level that is not known. #}
{% macro level_rank(level) -%}
    case {{ level }} when 'end_user' then 1 when 'manager' then 2 when 'director_plus' then 3 end
{%- endmacro %}
