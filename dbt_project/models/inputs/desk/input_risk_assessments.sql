select
    risk_assessment_id,
    account_id,
    employee_id,
    assessed_on,
    cast(sign_today_share as double) as sign_today_share,
    justification_type,
    {{ known_from('known_at', 'assessed_on') }} as known_at
from {{ ref('stg_desk__risk_assessments') }}
where
    assessed_on <= {{ as_of_date() }}
    and (known_at is null or known_at < {{ as_of_end() }})
