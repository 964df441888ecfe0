with

observations as (
    select
        account_id,
        observed_on,
        month_end_on,
        month_number
    from {{ ref('int_account_observations') }}
),

responses as (
    select
        accounts.account_id,
        responses.survey_response_id,
        responses.survey_type,
        responses.score,
        {{ exact(
            '(responses.score - scales.score_min) / (scales.score_max - scales.score_min)'
        ) }} as score_share,
        responses.respondent_level,
        responses.responded_on,
        {{ visible_on('responses.responded_on', 'responses.known_at') }} as visible_on
    from {{ ref('input_survey_responses') }} as responses
    inner join {{ ref('int_account_map') }} as accounts
        on responses.account_id = accounts.source_account_id
    left join {{ ref('survey_scales') }} as scales
        on responses.survey_type = scales.survey_type
),

months_later as (
    {{ months_later(12) }}
),

recent as (
    select
        observations.account_id,
        observations.observed_on,
        responses.survey_type,
        responses.score,
        responses.score_share,
        responses.responded_on,
        responses.respondent_level = 'director_plus' as is_executive,
        row_number() over (
            partition by observations.account_id, observations.observed_on, responses.survey_type
            order by responses.responded_on desc, responses.survey_response_id desc
        ) as newest_rank,
        row_number() over (
            partition by
                observations.account_id,
                observations.observed_on,
                responses.survey_type,
                case when responses.respondent_level = 'director_plus' then 1 else 0 end
            order by responses.responded_on desc, responses.survey_response_id desc
        ) as newest_rank_of_level
    from responses
    cross join months_later
    inner join observations
        on
            responses.account_id = observations.account_id
            and {{ month_index('responses.responded_on') }} + months_later.months_later
            = observations.month_number
    where
        responses.visible_on <= observations.observed_on
        and {{ within_days('responses.responded_on', 'observations.observed_on', 365) }}
),

windows as (
    select
        account_id,
        observed_on,
        count(*) as responses_12m,
        max(responded_on) as last_response_on,
        sum(case when survey_type = 'nps' then 1 else 0 end) as nps_responses_12m,
        sum(case when survey_type = 'nps' and score >= 9 then 1 else 0 end) as nps_promoters_12m,
        sum(case when survey_type = 'nps' and score <= 6 then 1 else 0 end) as nps_detractors_12m,
        max(case when survey_type = 'nps' and newest_rank = 1 then score end) as nps_last_score,
        max(
            case
                when survey_type = 'nps' and is_executive and newest_rank_of_level = 1 then score
            end
        ) as exec_nps_last_score,
        avg(case when survey_type = 'csat' then score_share end) as csat_share,
        avg(
            case
                when
                    survey_type in ('nps', 'csat') and not coalesce(is_executive, false)
                    then score_share
            end
        ) as user_sentiment,
        avg(case when survey_type in ('nps', 'csat') and is_executive then score_share end)
            as exec_sentiment,
        max(case when survey_type = 'value_awareness' and newest_rank = 1 then score_share end)
            as value_awareness_any,
        max(
            case
                when survey_type = 'value_awareness' and is_executive and newest_rank_of_level = 1
                    then score_share
            end
        ) as exec_value_awareness,
        avg(case when survey_type = 'expectation' then score_share end) as expectation_share,
        sum(case when survey_type = 'monthly_question' then 1 else 0 end) as monthly_answers_12m,
        max(case when survey_type = 'priority' and newest_rank = 1 then score end) as priority_rank,
        max(case when survey_type = 'importance' and newest_rank = 1 then score_share end)
            as importance_share
    from recent
    group by account_id, observed_on
),

-- No answers is a fact only where answers are recorded at all.
coverage as (
    select min(visible_on) as recorded_from_on
    from responses
)

select
    observations.account_id,
    observations.observed_on,
    observations.month_end_on,
    windows.last_response_on,
    {% for measure in [
        'responses_12m', 'nps_responses_12m', 'nps_promoters_12m', 'nps_detractors_12m',
        'monthly_answers_12m',
    ] -%}
        case
            when observations.observed_on >= coverage.recorded_from_on
                then cast(coalesce(windows.{{ measure }}, 0) as bigint)
        end as {{ measure }},
    {% endfor -%}
    windows.nps_last_score,
    windows.exec_nps_last_score,
    {{ stable(
        'case when windows.nps_responses_12m > 0 then '
        ~ '1.0 * (windows.nps_promoters_12m - windows.nps_detractors_12m)'
        ~ ' / windows.nps_responses_12m end'
    ) }} as nps_12m,
    {{ stable('windows.csat_share') }} as csat_share_12m,
    {{ stable('windows.user_sentiment') }} as user_sentiment_12m,
    {{ stable('windows.exec_sentiment') }} as exec_sentiment_12m,
    {{ stable('windows.user_sentiment - windows.exec_sentiment') }} as exec_user_gap,
    -- What executives answer counts; another person's answer stands in while no executive answered.
    {{ stable('coalesce(windows.exec_value_awareness, windows.value_awareness_any)') }}
        as value_awareness,
    {{ stable('windows.exec_value_awareness') }} as exec_value_awareness,
    {{ stable('windows.expectation_share') }} as expectation_share_12m,
    windows.priority_rank,
    {{ stable('windows.importance_share') }} as importance_share
from observations
cross join coverage
left join windows
    on
        observations.account_id = windows.account_id
        and observations.observed_on = windows.observed_on
