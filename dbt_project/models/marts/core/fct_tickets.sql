select
    cases.case_id,
    accounts.account_id,
    persons.person_id,
    cast(cases.opened_at as date) as opened_on,
    cast(cases.closed_at as date) as closed_on,
    cases.opened_at,
    cases.first_response_at,
    cases.closed_at,
    cases.known_at,
    cases.case_type,
    cases.priority,
    cases.status,
    {{ stable(hours_between('cases.opened_at', 'cases.first_response_at'), 6) }} as response_hours,
    {{ stable(hours_between('cases.opened_at', 'cases.closed_at'), 6) }} as resolution_hours,
    cases.csat_score,
    cases.handoffs,
    cases.closed_at is not null as is_closed,
    cases.is_bug_confirmed
from {{ ref('input_cases') }} as cases
left join {{ ref('int_account_map') }} as accounts on cases.account_id = accounts.source_account_id
left join {{ ref('int_person_map') }} as persons on cases.contact_id = persons.contact_id
where not coalesce(accounts.is_test, false)
