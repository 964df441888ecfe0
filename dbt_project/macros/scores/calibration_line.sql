{#
    Charter: the line of outcomes on the logit of their forecasts, by group, in plain SQL. Not here: which forecasts
    (model_performance).
#}

{#
    Intercept and slope of a logistic regression of `is_lost` on the logit of `p` (D. R. Cox, "Two further applications
    of a model for binary regression", Biometrika 45, 1958): 0 and 1 are perfect, a slope below one means forecasts too
    extreme. Newton's method from the flat line, from which it settles where one from the perfect line does not. No
    step moves either by more than 2, so that groups told apart without error wander off and end without a line
    instead of overflowing.

    Writes CTEs; the last is `name` with the keys and `slope`, null where it did not settle. `forecasts` is a CTE with
    the keys, `p` and `is_lost`.
#}
{% macro calibration_lines(name, forecasts, keys) -%}
{%- set steps = var('newton_steps', 12) | int -%}
{%- set key_list = keys | join(', ') -%}
{{ name }}_logits as (
    select
        {{ key_list }},
        is_lost,
        ln(greatest(p, 0.001) / greatest(1 - p, 0.001)) as z
    from {{ forecasts }}
),

{{ name }}_line_0 as (
    select distinct
        {{ key_list }},
        cast(0 as double) as intercept,
        cast(0 as double) as slope,
        cast(1 as double) as moved
    from {{ name }}_logits
),

{% for step in range(steps) -%}
{{ name }}_fit_{{ step }} as (
    select
        {% for key in keys %}logits.{{ key }}, {% endfor %}
        line.intercept,
        line.slope,
        logits.z,
        logits.is_lost,
        1 / (1 + exp(-greatest(-30.0, least(30.0, line.intercept + line.slope * logits.z)))) as q
    from {{ name }}_logits as logits
    inner join {{ name }}_line_{{ step }} as line
        on {% for key in keys -%}
            logits.{{ key }} = line.{{ key }}{{ ' and ' if not loop.last }}
        {%- endfor %}
),

{{ name }}_slopes_{{ step }} as (
    select
        {{ key_list }},
        intercept,
        slope,
        {{ exact_sum('is_lost - q') }} as g0,
        {{ exact_sum('(is_lost - q) * z') }} as g1,
        {{ exact_sum('q * (1 - q)') }} as h00,
        {{ exact_sum('q * (1 - q) * z') }} as h01,
        {{ exact_sum('q * (1 - q) * z * z') }} as h11
    from {{ name }}_fit_{{ step }}
    group by {{ key_list }}, intercept, slope
),

{{ name }}_steps_{{ step }} as (
    select
        {{ key_list }},
        intercept,
        slope,
        (h11 * g0 - h01 * g1) / nullif(h00 * h11 - h01 * h01, 0) as step_0,
        (h00 * g1 - h01 * g0) / nullif(h00 * h11 - h01 * h01, 0) as step_1
    from {{ name }}_slopes_{{ step }}
    where h00 * h11 - h01 * h01 > 0.000000001
),

{{ name }}_line_{{ step + 1 }} as (
    select
        {{ key_list }},
        intercept + greatest(-2.0, least(2.0, step_0)) as intercept,
        slope + greatest(-2.0, least(2.0, step_1)) as slope,
        abs(step_0) + abs(step_1) as moved
    from {{ name }}_steps_{{ step }}
),

{% endfor -%}
{{ name }} as (
    select
        {{ key_list }},
        case when moved < 0.00000001 then slope end as slope
    from {{ name }}_line_{{ steps }}
)
{%- endmacro %}
