{#
    Charter: what was forecast of an account by some day, by the model and by people. `looks` is a CTE with the
    account, the day of looking and keys that name a look. Not here: when is looked, and how good forecasts were
    (forecasts).
#}

{# A score or a judgement older than this at the moment of looking says nothing about it. #}
{% macro stale_days() -%}
    62
{%- endmacro %}

{# Scores of the next renewal, of the account that a merged one has become. #}
{% macro stored_scores() -%}
    select
        account_map.account_id,
        scores.as_of,
        scores.p,
        scores.band,
        scores.is_backfill
    from {{ ref('stg_scores__churn_score_history') }} as scores
    inner join {{ ref('int_account_map') }} as account_map
        on scores.account_id = account_map.source_account_id
    where scores.head = 'next_renewal'
{%- endmacro %}

{# What people gave for signing today, with the day from which it was known. #}
{% macro stored_judgements() -%}
    select
        account_id,
        risk_assessment_id,
        assessed_on,
        {{ utc_date('known_at') }} as known_on,
        sign_today_share
    from {{ ref('fct_risk_assessments') }}
    where sign_today_share is not null
{%- endmacro %}

{#
    For each look of `looks` the scores of `scores` stored by then, never one made later, the one that counts first
    (newest_rank 1). A live score counts before one of a model trained backwards in time, which may only stand in where
    there was no warehouse to look at.
#}
{% macro known_scores(looks, keys, looked_on) -%}
    select
        {% for key in keys -%}
            {{ looks }}.{{ key }},
        {% endfor -%}
        scores.p,
        scores.band,
        scores.is_backfill,
        row_number() over (
            partition by {% for key in keys %}{{ looks }}.{{ key }}{{ ', ' if not loop.last }}{% endfor %}
            order by scores.is_backfill asc, scores.as_of desc
        ) as newest_rank
    from {{ looks }}
    inner join scores
        on
            {{ looks }}.account_id = scores.account_id
            and {{ looks }}.{{ looked_on }} >= scores.as_of
            and scores.as_of > {{ days_after(looks ~ '.' ~ looked_on, '-' ~ stale_days()) }}
{%- endmacro %}

{# The same for judgements, of `assessments`. #}
{% macro known_judgements(looks, keys, looked_on) -%}
    select
        {% for key in keys -%}
            {{ looks }}.{{ key }},
        {% endfor -%}
        assessments.sign_today_share,
        row_number() over (
            partition by {% for key in keys %}{{ looks }}.{{ key }}{{ ', ' if not loop.last }}{% endfor %}
            order by assessments.assessed_on desc, assessments.risk_assessment_id asc
        ) as newest_rank
    from {{ looks }}
    inner join assessments
        on
            {{ looks }}.account_id = assessments.account_id
            and {{ looks }}.{{ looked_on }} >= assessments.assessed_on
            and {{ looks }}.{{ looked_on }} >= assessments.known_on
            and assessments.assessed_on
            > {{ days_after(looks ~ '.' ~ looked_on, '-' ~ stale_days()) }}
{%- endmacro %}

{#
    At risk is what the model puts into the high band, or a person gives less than even odds; unknown where neither
    said anything.
#}
{% macro at_risk(band, sign_today) -%}
    case
        when {{ band }} = 'high' or {{ sign_today }} < 0.5 then true
        when {{ band }} is not null or {{ sign_today }} is not null then false
    end
{%- endmacro %}
