select
    survey_response_id,
    account_id,
    contact_id,
    survey_type,
    cast(score as double) as score,
    lower(respondent_level) as respondent_level,
    responded_on,
    {{ known_from('known_at', 'responded_on') }} as known_at
from {{ ref('stg_desk__survey_responses') }}
where
    responded_on <= {{ as_of_date() }}
    and (known_at is null or known_at < {{ as_of_end() }})
