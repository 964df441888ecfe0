select
    action_plan_id,
    account_id,
    owner_id,
    plan_type,
    opened_on,
    due_on,
    {{ come_by('closed_on') }} as closed_on,
    case
        when closed_on > {{ as_of_date() }} then 'open'
        else status
    end as status,
    case when closed_on <= {{ as_of_date() }} then outcome end as outcome,
    cast(cost_usd as decimal(18, 2)) as cost_usd,
    {{ known_from('known_at', 'opened_on') }} as known_at
from {{ ref('stg_desk__action_plans') }}
where
    opened_on <= {{ as_of_date() }}
    and (known_at is null or known_at < {{ as_of_end() }})
