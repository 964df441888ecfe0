{% set horizon_months = 12 %}
{% set grace_days = var('renewal_grace_days') %}
with

enrolments as (
    select
        program_id,
        account_id,
        arm,
        enrolled_on,
        cast(known_at as date) as logged_on,
        {{ months_after('enrolled_on', horizon_months) }} as horizon_on,
        -- Who paid is known of month-ends, so both looks are month-ends, a horizon apart.
        {{ last_month_end(days_after('enrolled_on', -1)) }} as paying_before_on,
        has_both_arms
    from {{ ref('fct_program_enrolments') }}
),

terms as (
    select
        account_id,
        contract_term_id,
        started_on,
        due_on,
        notice_on,
        outcome,
        {{ days_after('due_on', grace_days) }} as final_on,
        case
            when outcome in ('lost', 'pending', 'renewed_late') then coalesce(ended_on, due_on)
            when outcome = 'paused' then due_on
            else renewed_on
        end as decided_on
    from {{ ref('fct_contract_terms') }}
),

account_months as (
    select
        account_id,
        month_end_on,
        is_paying
    from {{ ref('fct_account_months') }}
),

-- Several contracts: the next one due is the renewal that is asked about.
next_terms as (
    select
        enrolments.program_id,
        enrolments.account_id,
        terms.contract_term_id,
        terms.due_on,
        terms.notice_on,
        terms.outcome,
        terms.final_on,
        row_number() over (
            partition by enrolments.program_id, enrolments.account_id
            order by terms.due_on, terms.contract_term_id
        ) as due_rank
    from enrolments
    inner join terms
        on
            enrolments.account_id = terms.account_id
            and enrolments.enrolled_on >= terms.started_on
            and enrolments.enrolled_on < terms.due_on
            and enrolments.horizon_on > terms.due_on
            and (terms.decided_on is null or enrolments.enrolled_on < terms.decided_on)
),

-- A loss inside the term is known sooner than a renewal: counting each as soon as it is known would
-- count too many losses. So an outcome counts once every outcome of its due date is final.
renewal_outcomes as (
    select
        enrolments.program_id,
        enrolments.account_id,
        'next_renewal_kept' as outcome_measure,
        enrolments.enrolled_on,
        next_terms.contract_term_id,
        next_terms.due_on as falls_on,
        next_terms.final_on,
        enrolments.arm,
        case
            when enrolments.has_both_arms then 'in_both_arms'
            when enrolments.logged_on > enrolments.enrolled_on then 'logged_late'
            when next_terms.contract_term_id is null then 'nothing_due'
            when next_terms.notice_on <= enrolments.enrolled_on then 'decided_before'
            when next_terms.final_on > {{ as_of_date() }} then 'open'
            when next_terms.outcome in ('open', 'pending') then 'open'
            when next_terms.outcome = 'paused' then 'paused'
            else 'counted'
        end as counting,
        next_terms.outcome not in ('lost', 'open', 'pending', 'paused') as is_kept
    from enrolments
    left join next_terms
        on
            enrolments.program_id = next_terms.program_id
            and enrolments.account_id = next_terms.account_id
            and next_terms.due_rank = 1
),

payments as (
    select
        enrolments.program_id,
        enrolments.account_id,
        enrolments.enrolled_on,
        enrolments.logged_on,
        enrolments.arm,
        enrolments.has_both_arms,
        {{ month_end(months_after('enrolments.paying_before_on', horizon_months)) }} as falls_on,
        coalesce(paying_before.is_paying, false) as was_paying
    from enrolments
    left join account_months as paying_before
        on
            enrolments.account_id = paying_before.account_id
            and enrolments.paying_before_on = paying_before.month_end_on
),

payment_outcomes as (
    select
        payments.program_id,
        payments.account_id,
        'paying_after_{{ horizon_months }}_months' as outcome_measure,
        payments.enrolled_on,
        cast(null as varchar) as contract_term_id,
        payments.falls_on,
        payments.falls_on as final_on,
        payments.arm,
        case
            when payments.has_both_arms then 'in_both_arms'
            when payments.logged_on > payments.enrolled_on then 'logged_late'
            when not payments.was_paying then 'nothing_due'
            when payments.falls_on > {{ as_of_date() }} then 'open'
            else 'counted'
        end as counting,
        coalesce(paying_after.is_paying, false) as is_kept
    from payments
    left join account_months as paying_after
        on
            payments.account_id = paying_after.account_id
            and payments.falls_on = paying_after.month_end_on
)

{{ counted_outcomes(['renewal_outcomes', 'payment_outcomes']) }}
