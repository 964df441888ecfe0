{% set grace_days = var('renewal_grace_days') %}
with

terms as (
    select
        subscription_id,
        account_id,
        term_number,
        started_on,
        due_on,
        ended_on,
        reshaped_on,
        term_months,
        due_arr_usd,
        due_seats,
        continued_arr_usd,
        continued_seats,
        is_evergreen,
        is_involuntary,
        is_paused_at_due
    from {{ ref('int_contract_terms') }}
),

successions as (
    select
        subscription_id,
        term_number,
        next_subscription_id,
        next_started_on,
        next_arr_usd,
        next_seats
    from {{ ref('int_contract_successions') }}
),

chains as (
    select
        subscription_id,
        first_subscription_id
    from {{ ref('int_contract_chains') }}
),

contracts as (
    select
        subscription_id,
        cancel_requested_on
    from {{ ref('int_contracts') }}
),

continued as (
    select
        terms.subscription_id,
        chains.first_subscription_id,
        terms.account_id,
        terms.term_number,
        terms.started_on,
        terms.due_on,
        terms.ended_on,
        terms.reshaped_on,
        contracts.cancel_requested_on,
        terms.term_months,
        terms.due_arr_usd,
        terms.due_seats,
        successions.next_subscription_id,
        successions.next_started_on,
        -- What the customer pays after the due date, under this contract or the one that continues
        -- it.
        coalesce(terms.continued_arr_usd, successions.next_arr_usd) as renewed_arr_usd,
        coalesce(terms.continued_seats, successions.next_seats) as renewed_seats,
        terms.is_evergreen,
        terms.is_involuntary,
        terms.is_paused_at_due,
        {{ days_after('terms.due_on', grace_days) }} as final_on
    from terms
    inner join chains on terms.subscription_id = chains.subscription_id
    inner join contracts on terms.subscription_id = contracts.subscription_id
    left join successions
        on
            terms.subscription_id = successions.subscription_id
            and terms.term_number = successions.term_number
),

judged as (
    select
        subscription_id,
        first_subscription_id,
        account_id,
        term_number,
        started_on,
        due_on,
        ended_on,
        reshaped_on,
        cancel_requested_on,
        next_subscription_id,
        next_started_on,
        final_on,
        term_months,
        due_arr_usd,
        due_seats,
        renewed_arr_usd,
        renewed_seats,
        is_evergreen,
        is_involuntary,
        {{ renewal_outcome(
            due_on='due_on', ended_on='ended_on', reshaped_on='reshaped_on',
            next_started_on='next_started_on', final_on='final_on', due_arr='due_arr_usd',
            renewed_arr='renewed_arr_usd',
            is_paused_at_due='is_paused_at_due'
        ) }} as outcome
    from continued
)

select
    subscription_id || '/' || cast(started_on as varchar) as contract_term_id,
    account_id,
    subscription_id,
    first_subscription_id,
    case when outcome in ('renewed_late', 'superseded') then next_subscription_id end
        as superseded_by_subscription_id,
    started_on,
    due_on,
    ended_on,
    case
        when ended_on is not null or (outcome = 'open' and next_subscription_id is null)
            then cancel_requested_on
    end as notice_on,
    case
        when outcome in ('renewed_expanded', 'renewed_flat', 'renewed_contracted')
            then coalesce(next_started_on, due_on)
        when outcome = 'superseded' then coalesce(reshaped_on, next_started_on)
        when outcome = 'renewed_late' then next_started_on
    end as renewed_on,
    case
        when outcome in ('renewed_expanded', 'renewed_flat', 'renewed_contracted')
            then coalesce(next_started_on, due_on)
        when outcome = 'superseded' then coalesce(reshaped_on, next_started_on)
        when outcome = 'renewed_late' then next_started_on
        when outcome = 'paused' then due_on
        when outcome = 'lost' and ended_on < due_on then ended_on
        when outcome = 'lost' then final_on
    end as outcome_known_on,
    outcome,
    cast(row_number() over (
        partition by first_subscription_id
        order by started_on, subscription_id
    ) as bigint) as cycle_number,
    cast(term_months as bigint) as term_months,
    due_arr_usd,
    case
        when outcome in (
                'renewed_expanded',
                'renewed_flat',
                'renewed_contracted',
                'renewed_late',
                'superseded'
            )
            then renewed_arr_usd
        when outcome = 'lost' then cast(0 as decimal(18, 2))
    end as renewed_arr_usd,
    cast(due_seats as bigint) as due_seats,
    case
        when outcome in (
                'renewed_expanded',
                'renewed_flat',
                'renewed_contracted',
                'renewed_late',
                'superseded'
            )
            then cast(renewed_seats as bigint)
    end as renewed_seats,
    is_evergreen,
    outcome = 'open' as is_open,
    outcome not in ('open', 'pending') as is_final,
    outcome = 'lost' and is_involuntary as is_involuntary
from judged
