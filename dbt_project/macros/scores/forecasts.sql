{#
    Charter: how forecasts of a loss are measured against what came, one expression a measure. Each stands in a select
    grouped by forecaster; y is 1 for a loss and 0 for a renewal, p the probability of loss that was stated. Not here:
    which forecasts are measured (model_performance).
#}

{# A certain forecast that fails would weigh without end: what is stated past these ends is taken as the end. #}
{% macro log_loss_of(p, y) -%}
    -(
        {{ y }} * ln(greatest({{ p }}, 0.001))
        + (1 - {{ y }}) * ln(greatest(1 - {{ p }}, 0.001))
    )
{%- endmacro %}

{# Brier's score (1950), mean squared error of a probability. #}
{% macro brier_score(p, y) -%}
    cast(avg({{ exact('(' ~ p ~ ' - ' ~ y ~ ') * (' ~ p ~ ' - ' ~ y ~ ')') }}) as double)
{%- endmacro %}

{#
    Area under the ROC curve: the share of pairs of a loss and a renewal in which the loss had the higher forecast,
    ties counted half (Mann and Whitney 1947), from ranks counted from the highest forecast down. Whole numbers until
    the division. `rank_down` is the rank before ties are shared, `tied` how many share it.
#}
{% macro area_under_curve(rank_down, tied, y) -%}
    cast(
        sum({{ y }} * (2 * (forecasts_in_group - {{ rank_down }}) + 3 - {{ tied }}))
        - sum({{ y }}) * (sum({{ y }}) + 1) as double
    ) / nullif(2 * sum({{ y }}) * sum(1 - {{ y }}), 0)
{%- endmacro %}

{# How much of a row belongs to the top of so many: rows tied at its edge share the places left. #}
{% macro share_in_top(rank_down, tied, places) -%}
    greatest(
        0.0, least(1.0, cast({{ places }} - {{ rank_down }} + 1 as double) / {{ tied }})
    )
{%- endmacro %}
