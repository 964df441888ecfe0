select
    advocacy_act_id,
    account_id,
    contact_id,
    act_type,
    occurred_on,
    opportunity_id,
    {{ known_from('known_at', 'occurred_on') }} as known_at
from {{ ref('stg_desk__advocacy_acts') }}
where
    occurred_on <= {{ as_of_date() }}
    and (known_at is null or known_at < {{ as_of_end() }})
