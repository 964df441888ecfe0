select
    program_id,
    account_id,
    arm,
    enrolled_on,
    {{ known_from('known_at', 'enrolled_on') }} as known_at
from {{ ref('stg_desk__program_enrolments') }}
where
    enrolled_on <= {{ as_of_date() }}
    and (known_at is null or known_at < {{ as_of_end() }})
