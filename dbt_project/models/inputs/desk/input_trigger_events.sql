select
    trigger_event_id,
    account_id,
    trigger_type,
    occurred_on,
    source,
    {{ known_from('known_at', 'occurred_on') }} as known_at
from {{ ref('stg_desk__trigger_events') }}
where
    occurred_on <= {{ as_of_date() }}
    and (known_at is null or known_at < {{ as_of_end() }})
