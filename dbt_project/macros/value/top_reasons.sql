{# Which dimensions give most to an account's value, without sorting: dimensions are few, rows are many. #}

{# What each dimension gives, NULL where nothing or where there is no score, and its label. #}
{% macro labelled_points(dimensions) -%}
    {% for dimension in dimensions -%}
        case
            when scored.true_value_score is not null and scored.v_{{ dimension }} > 0
                then weights.{{ dimension }} * scored.v_{{ dimension }}
        end as {{ dimension }}_points,
        weights.{{ dimension }}_label{{ ',' if not loop.last }}
    {% endfor %}
{%- endmacro %}

{# How many dimensions give more, and one; of equals the first by label. #}
{% macro places_among(dimensions) -%}
    {% for dimension in dimensions -%}
        case
            when {{ dimension }}_points is not null
                then 1
                {%- for other in dimensions if other != dimension %}
                + case
                    when {{ other }}_points > {{ dimension }}_points then 1
                    when
                        {{ other }}_points = {{ dimension }}_points
                        and {{ other }}_label < {{ dimension }}_label
                        then 1
                    else 0
                end
                {%- endfor %}
        end as {{ dimension }}_place{{ ',' if not loop.last }}
    {% endfor %}
{%- endmacro %}

{# Label of the dimension in that place. #}
{% macro label_in_place(place, dimensions) -%}
    case {{ place }}
        {%- for dimension in dimensions %}
        when {{ dimension }}_place then {{ dimension }}_label
        {%- endfor %}
    end
{%- endmacro %}
