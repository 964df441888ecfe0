select
    responses.survey_response_id,
    accounts.account_id,
    persons.person_id,
    responses.responded_on,
    responses.known_at,
    responses.survey_type,
    responses.respondent_level,
    responses.score,
    {{ stable('(responses.score - scales.score_min) / (scales.score_max - scales.score_min)') }}
        as score_share,
    case when responses.survey_type = 'nps' then responses.score >= 9 end as is_promoter,
    case when responses.survey_type = 'nps' then responses.score <= 6 end as is_detractor
from {{ ref('input_survey_responses') }} as responses
left join {{ ref('int_account_map') }} as accounts
    on responses.account_id = accounts.source_account_id
left join {{ ref('int_person_map') }} as persons on responses.contact_id = persons.contact_id
left join {{ ref('survey_scales') }} as scales on responses.survey_type = scales.survey_type
where not coalesce(accounts.is_test, false)
