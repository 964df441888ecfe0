{#
    Charter: how a reason reads. A reason is an association found in past renewals: the words are "associated with",
    never "because". Not here: which reasons an account has (the scorer) and what features are called (feature_labels).
#}

{# A feature's value for a reader; display is how feature_labels says it is shown. #}
{% macro reason_value(amount, display) -%}
    case
        when {{ amount }} is null then 'unknown'
        when {{ display }} = 'yes_no' then case when {{ amount }} >= 0.5 then 'yes' else 'no' end
        when {{ display }} = 'percent'
            then cast(cast(round(100 * {{ amount }}) as bigint) as varchar) || ' %'
        when {{ display }} = 'log'
            then cast(cast(round(exp({{ amount }}) - 1) as bigint) as varchar)
        when {{ display }} = 'whole' then cast(cast(round({{ amount }}) as bigint) as varchar)
        else cast(cast({{ amount }} as decimal(18, 1)) as varchar)
    end
{%- endmacro %}
