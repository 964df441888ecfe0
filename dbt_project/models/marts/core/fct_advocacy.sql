select
    acts.advocacy_act_id,
    accounts.account_id,
    persons.person_id,
    acts.opportunity_id,
    acts.occurred_on,
    acts.known_at,
    acts.act_type
from {{ ref('input_advocacy_acts') }} as acts
left join {{ ref('int_account_map') }} as accounts on acts.account_id = accounts.source_account_id
left join {{ ref('int_person_map') }} as persons on acts.contact_id = persons.contact_id
where not coalesce(accounts.is_test, false)
