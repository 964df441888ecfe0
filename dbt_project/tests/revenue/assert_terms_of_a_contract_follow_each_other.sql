-- Terms of one contract neither overlap nor leave a gap, so each day of a contract belongs to one
-- outcome.
with

terms as (
    select
        subscription_id,
        started_on,
        coalesce(case when outcome = 'superseded' then least(due_on, renewed_on) end, due_on)
            as due_on,
        lead(started_on) over (partition by subscription_id order by started_on) as next_started_on
    from {{ ref('fct_contract_terms') }}
)

select
    subscription_id,
    started_on,
    due_on,
    next_started_on
from terms
where next_started_on <> due_on
