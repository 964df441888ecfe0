{# Twelve facts that somebody who looks after a customer ought to know. #}
{% set required_facts = [
    ('exec_sponsor', 'people.has_sponsor'),
    ('champion', 'people.has_champion'),
    ('goal', 'success.measures_defined > 0'),
    ('purchase_reason', 'success.has_purchase_reason'),
    ('nps_12m', 'surveys.nps_responses_12m > 0'),
    ('exec_touch_90d', 'touches.days_since_director_touch < 90'),
    (
        'competitor',
        'accounts.displaced_competitor_id is not null or signals.competitor_signals_12m > 0'
    ),
    ('owner', 'accounts.owner_id is not null'),
    ('plan', 'plans.action_plan_id is not null'),
    ('usage_fresh', "usage.usage_basis = 'daily'"),
    ('renewal_date', 'features.next_due_on is not null'),
    ('value_acknowledged', 'touches.exec_acknowledged_reports_12m > 0'),
] %}
{% set slots = [
    ('reason', 1, 'raises'), ('reason', 2, 'raises'), ('reason', 3, 'raises'),
    ('protect', 1, 'protects'), ('protect', 2, 'protects'),
] %}
{% set reason_columns = ['reason_text', 'feature_group', 'amount', 'peer_median', 'contribution'] %}
with

features as (
    select
        account_id,
        contract_term_id,
        observed_on,
        next_due_on,
        segment,
        attention_band,
        cycle_number,
        cast(arr_usd as decimal(18, 2)) as arr_usd
    from {{ ref('int_account_features') }}
    where observed_on = {{ as_of_date() }}
),

accounts as (
    select
        account_id,
        name,
        region,
        owner_id,
        displaced_competitor_id
    from {{ ref('dim_accounts') }}
),

terms as (
    select
        contract_term_id,
        started_on,
        notice_on
    from {{ ref('fct_contract_terms') }}
),

-- A score belongs to the account that lives on, whatever it was called when it was scored.
scores as (
    select
        scores.head,
        scores.model_version,
        scores.as_of,
        coalesce(map.account_id, scores.account_id) as account_id,
        scores.p,
        scores.p_low,
        scores.p_high,
        scores.band,
        scores.band_version,
        scores.percentile,
        scores.reasons,
        scores.serves,
        scores.is_backfill,
        scores.training_cutoff_on,
        row_number() over (
            partition by scores.head, coalesce(map.account_id, scores.account_id)
            order by scores.as_of desc, scores.is_backfill asc, scores.account_id asc
        ) as newest_rank
    from {{ ref('stg_scores__churn_score_history') }} as scores
    left join {{ ref('int_account_map') }} as map on scores.account_id = map.source_account_id
    where scores.as_of <= {{ as_of_date() }}
),

-- A score says nothing for ever: one older than a month is no current score.
renewal_scores as (
    select *
    from scores
    where head = 'next_renewal' and newest_rank = 1 and as_of > {{ days_after(as_of_date(), -31) }}
),

sign_today_scores as (
    select
        account_id,
        model_version,
        1 - p as p_sign_today
    from scores
    where head = 'sign_today' and newest_rank = 1 and as_of > {{ days_after(as_of_date(), -31) }}
),

next_month_scores as (
    select
        account_id,
        model_version,
        p
    from scores
    where head = 'monthly_loss' and newest_rank = 1 and as_of > {{ days_after(as_of_date(), -31) }}
),

multiples as (
    select
        coalesce(map.account_id, multiples.account_id) as account_id,
        multiples.model_version,
        multiples.multiple,
        multiples.low,
        multiples.high,
        row_number() over (
            partition by coalesce(map.account_id, multiples.account_id)
            order by multiples.as_of desc, multiples.is_backfill asc, multiples.account_id asc
        ) as newest_rank
    from {{ ref('stg_scores__arr_multiple_history') }} as multiples
    left join {{ ref('int_account_map') }} as map on multiples.account_id = map.source_account_id
    where
        multiples.as_of <= {{ as_of_date() }}
        and multiples.as_of > {{ days_after(as_of_date(), -31) }}
),

month_ago as (
    select
        account_id,
        p,
        row_number() over (
            partition by account_id
            order by as_of desc, account_id asc
        ) as newest_rank
    from scores
    where
        head = 'next_renewal' and not is_backfill
        and as_of <= {{ days_after(as_of_date(), -30) }}
        and as_of > {{ days_after(as_of_date(), -61) }}
),

scored_months as (
    select
        features.account_id,
        count(distinct {{ month_end('scores.as_of') }}) as months_scored_in_term
    from features
    inner join terms on features.contract_term_id = terms.contract_term_id
    inner join scores
        on
            features.account_id = scores.account_id
            and scores.head = 'next_renewal'
            and not scores.is_backfill
            and terms.started_on <= scores.as_of
    group by features.account_id
),

reasons as (
    {% for position in range(5) -%}
        select
            account_id,
            {{ json_item_text('reasons', position, 'direction') }} as direction,
            cast({{ json_item_text('reasons', position, 'rank') }} as bigint) as reason_rank,
            {{ json_item_text('reasons', position, 'group') }} as feature_group,
            {{ json_item_text('reasons', position, 'feature') }} as feature,
            cast({{ json_item_text('reasons', position, 'value') }} as double) as amount,
            cast({{ json_item_text('reasons', position, 'peer_median') }} as double) as peer_median,
            cast({{ json_item_text('reasons', position, 'contribution') }} as double)
                as contribution
        from renewal_scores
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

worded as (
    select
        reasons.account_id,
        reasons.direction,
        reasons.reason_rank,
        reasons.feature_group,
        reasons.amount,
        reasons.peer_median,
        reasons.contribution,
        coalesce(labels.label, reasons.feature)
        || ': ' || {{ reason_value('reasons.amount', 'labels.display') }}
        || ' (peers ' || {{ reason_value('reasons.peer_median', 'labels.display') }}
        || '), associated with a '
        || case when reasons.direction = 'raises' then 'higher' else 'lower' end
        || ' risk of loss' as reason_text
    from reasons
    left join {{ ref('feature_labels') }} as labels on reasons.feature = labels.feature
    where reasons.direction is not null
),

flat_reasons as (
    select
        {% for name, rank, direction in slots -%}
            {% for column in reason_columns -%}
                max(
                    case
                        when direction = '{{ direction }}' and reason_rank = {{ rank }}
                            then {{ column }}
                    end
                ) as {{ name }}_{{ rank }}_{{ column }},
            {% endfor -%}
        {% endfor -%}
        account_id
    from worded
    group by account_id
),

assessments as (
    select
        account_id,
        assessed_on,
        sign_today_share,
        justification_type,
        evidence_grade,
        row_number() over (
            partition by account_id
            order by assessed_on desc, risk_assessment_id desc
        ) as newest_rank
    from {{ ref('fct_risk_assessments') }}
    where
        account_id is not null
        and assessed_on <= {{ as_of_date() }}
        and known_at < {{ as_of_end() }}
),

-- A plan that welcomes a customer does not answer for keeping it.
plans as (
    select
        map.account_id,
        plans.action_plan_id,
        plans.owner_id,
        plans.plan_type,
        plans.opened_on,
        plans.due_on,
        row_number() over (
            partition by map.account_id
            order by
                case when plans.owner_id is null then 1 else 0 end asc,
                case when plans.plan_type = 'save' then 0 else 1 end asc,
                plans.opened_on desc,
                plans.action_plan_id asc
        ) as plan_rank
    from {{ ref('input_action_plans') }} as plans
    inner join {{ ref('int_account_map') }} as map on plans.account_id = map.source_account_id
    where
        plans.plan_type in ('save', 'success')
        and plans.opened_on <= {{ as_of_date() }}
        and (plans.closed_on is null or plans.closed_on > {{ as_of_date() }})
        and plans.known_at < {{ as_of_end() }}
),

people as (
    select
        account_id,
        has_sponsor,
        has_champion
    from {{ ref('int_people_account_months') }}
    where observed_on = {{ as_of_date() }}
),

success as (
    select
        account_id,
        measures_defined,
        has_purchase_reason
    from {{ ref('int_success_account_months') }}
    where observed_on = {{ as_of_date() }}
),

surveys as (
    select
        account_id,
        nps_responses_12m
    from {{ ref('int_survey_account_months') }}
    where observed_on = {{ as_of_date() }}
),

touches as (
    select
        account_id,
        days_since_director_touch,
        exec_acknowledged_reports_12m
    from {{ ref('int_touch_account_months') }}
    where observed_on = {{ as_of_date() }}
),

usage as (
    select
        account_id,
        usage_basis
    from {{ ref('int_usage_account_months') }}
    where observed_on = {{ as_of_date() }}
),

signals as (
    select
        account_id,
        competitor_signals_12m
    from {{ ref('int_signal_account_months') }}
    where observed_on = {{ as_of_date() }}
),

knowledge as (
    select
        features.account_id,
        0
        {% for name, condition in required_facts -%}
            + case when coalesce({{ condition }}, false) then 1 else 0 end
        {% endfor %}
            as facts_known,
        ''
        {% for name, condition in required_facts -%}
            || case when coalesce({{ condition }}, false) then '' else '{{ name }};' end
        {% endfor %}
            as facts_missing
    from features
    left join accounts on features.account_id = accounts.account_id
    left join plans on features.account_id = plans.account_id and plans.plan_rank = 1
    {% for name in ['people', 'success', 'surveys', 'touches', 'usage', 'signals'] -%}
        left join {{ name }} on features.account_id = {{ name }}.account_id
    {% endfor %}
)

select
    features.account_id,
    features.contract_term_id,
    accounts.owner_id,
    plans.action_plan_id,
    plans.owner_id as plan_owner_id,
    renewal_scores.model_version,
    sign_today_scores.model_version as sign_today_model_version,
    next_month_scores.model_version as next_month_model_version,
    multiples.model_version as arr_multiple_model_version,
    renewal_scores.as_of as scored_on,
    features.next_due_on,
    terms.notice_on,
    assessments.assessed_on,
    plans.opened_on as plan_opened_on,
    plans.due_on as plan_due_on,
    renewal_scores.training_cutoff_on,
    accounts.name as account_name,
    features.segment,
    accounts.region,
    features.attention_band,
    renewal_scores.band,
    renewal_scores.band_version,
    renewal_scores.serves,
    assessments.justification_type,
    assessments.evidence_grade,
    plans.plan_type,
    {% for name, rank, direction in slots -%}
        flat_reasons.{{ name }}_{{ rank }}_reason_text as {{ name }}_{{ rank }},
        flat_reasons.{{ name }}_{{ rank }}_feature_group as {{ name }}_{{ rank }}_group,
    {% endfor -%}
    case
        when length(knowledge.facts_missing) > 0
            then substr(knowledge.facts_missing, 1, length(knowledge.facts_missing) - 1)
    end as unknown_fields,
    features.cycle_number,
    cast(
        {{ dbt.datediff('features.observed_on', 'features.next_due_on', 'day') }}
        as bigint
    ) as days_to_renewal,
    features.arr_usd,
    cast(renewal_scores.p * cast(features.arr_usd as double) as decimal(18, 2))
        as expected_loss_arr_usd,
    -- Where no multiple was scored a renewal is expected to bring what is paid now.
    cast(
        (1 - renewal_scores.p) * coalesce(multiples.multiple, 1)
        * cast(features.arr_usd as double) as decimal(18, 2)
    ) as expected_arr_after_usd,
    {{ stable('renewal_scores.p') }} as p_lost_next_renewal,
    {{ stable('renewal_scores.p_low') }} as p_lost_low,
    {{ stable('renewal_scores.p_high') }} as p_lost_high,
    {{ stable('next_month_scores.p') }} as p_lost_next_month,
    {{ stable('renewal_scores.p - month_ago.p') }} as p_lost_change_30d,
    {{ stable('renewal_scores.percentile') }} as risk_percentile,
    {{ stable('sign_today_scores.p_sign_today') }} as p_sign_today_model,
    {{ stable('assessments.sign_today_share') }} as p_sign_today_human,
    {{ stable('assessments.sign_today_share - sign_today_scores.p_sign_today') }} as sign_today_gap,
    {{ stable('multiples.multiple') }} as expected_arr_multiple,
    {{ stable('multiples.low') }} as expected_arr_multiple_low,
    {{ stable('multiples.high') }} as expected_arr_multiple_high,
    {% for name, rank, direction in slots -%}
        {{ stable('flat_reasons.' ~ name ~ '_' ~ rank ~ '_amount') }}
            as {{ name }}_{{ rank }}_value,
        {{ stable('flat_reasons.' ~ name ~ '_' ~ rank ~ '_peer_median') }}
            as {{ name }}_{{ rank }}_peer_median,
        {{ stable('flat_reasons.' ~ name ~ '_' ~ rank ~ '_contribution') }}
            as {{ name }}_{{ rank }}_contribution,
    {% endfor -%}
    {{ stable('knowledge.facts_known / ' ~ (required_facts | length) ~ '.0') }} as knowledge_score,
    cast({{ required_facts | length }} - knowledge.facts_known as bigint) as unknowns_count,
    case
        when renewal_scores.account_id is not null
            then cast(coalesce(scored_months.months_scored_in_term, 0) as bigint)
    end as months_scored_in_term,
    coalesce(renewal_scores.band = 'high', false)
    or coalesce(assessments.sign_today_share < 0.5, false) as is_at_risk,
    assessments.assessed_on is not null
    and assessments.assessed_on > {{ days_after(as_of_date(), -31) }} as is_assessed_31d,
    coalesce(renewal_scores.serves = 'model', false) as has_sufficient_history,
    coalesce(renewal_scores.is_backfill, false) as is_backfilled_score,
    plans.action_plan_id is not null as has_plan,
    plans.owner_id is not null as has_plan_owner
from features
left join accounts on features.account_id = accounts.account_id
left join terms on features.contract_term_id = terms.contract_term_id
left join renewal_scores on features.account_id = renewal_scores.account_id
left join sign_today_scores on features.account_id = sign_today_scores.account_id
left join next_month_scores on features.account_id = next_month_scores.account_id
left join multiples
    on features.account_id = multiples.account_id and multiples.newest_rank = 1
left join month_ago on features.account_id = month_ago.account_id and month_ago.newest_rank = 1
left join scored_months on features.account_id = scored_months.account_id
left join flat_reasons on features.account_id = flat_reasons.account_id
left join assessments
    on features.account_id = assessments.account_id and assessments.newest_rank = 1
left join plans on features.account_id = plans.account_id and plans.plan_rank = 1
left join knowledge on features.account_id = knowledge.account_id
