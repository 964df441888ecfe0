with cases as (
    {{ of_either_crm('case', 'ticket', [
        'case_id', 'account_id', 'contact_id', 'case_type', 'priority', 'status', 'created_at',
        'first_response_at', 'closed_at', 'csat_score', 'handoffs', 'is_bug_confirmed',
        'is_deleted', 'is_known_version',
    ]) }}
)

select
    case_id,
    account_id,
    contact_id,
    replace(lower(case_type), ' ', '_') as case_type,
    lower(priority) as priority,
    case
        when is_known_version or closed_at is null or closed_at < {{ as_of_end() }} then status
    end as status,
    created_at as opened_at,
    {{ happened_by('first_response_at') }} as first_response_at,
    {{ happened_by('closed_at') }} as closed_at,
    case when closed_at < {{ as_of_end() }} then cast(csat_score as double) end as csat_score,
    cast(handoffs as bigint) as handoffs,
    is_bug_confirmed,
    created_at as known_at
from cases
where not is_deleted
