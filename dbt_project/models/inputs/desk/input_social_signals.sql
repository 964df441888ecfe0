select
    social_signal_id,
    account_id,
    contact_id,
    signal_type,
    competitor_id,
    occurred_on,
    {{ known_from('known_at', 'occurred_on') }} as known_at
from {{ ref('stg_desk__social_signals') }}
where
    occurred_on <= {{ as_of_date() }}
    and (known_at is null or known_at < {{ as_of_end() }})
