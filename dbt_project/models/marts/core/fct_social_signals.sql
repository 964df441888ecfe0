select
    signals.social_signal_id,
    accounts.account_id,
    persons.person_id,
    signals.competitor_id,
    signals.occurred_on,
    signals.known_at,
    signals.signal_type
from {{ ref('input_social_signals') }} as signals
left join
    {{ ref('int_account_map') }} as accounts
    on signals.account_id = accounts.source_account_id
left join {{ ref('int_person_map') }} as persons on signals.contact_id = persons.contact_id
where not coalesce(accounts.is_test, false)
