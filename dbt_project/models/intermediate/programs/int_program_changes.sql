{# Days after enrolment in which the action wanted is looked for. #}
{% set action_days = 180 %}
{# Days before the due date at which the forecast should have turned. #}
{% set lead_days = 60 %}
with

programs as (
    select
        program_id,
        wanted_action
    from {{ ref('dim_programs') }}
),

enrolments as (
    select
        program_id,
        account_id,
        enrolled_on,
        cast(known_at as date) as logged_on,
        arm,
        has_both_arms
    from {{ ref('fct_program_enrolments') }}
),

actions as (
    select
        account_id,
        action,
        happened_on
    from {{ ref('int_dated_actions') }}
),

next_renewals as (
    select
        program_id,
        account_id,
        contract_term_id,
        enrolled_on,
        falls_on,
        final_on,
        {{ days_after('falls_on', 0 - lead_days) }} as looked_on,
        arm,
        counting,
        is_kept
    from {{ ref('int_program_outcomes') }}
    where outcome_measure = 'next_renewal_kept'
),

terms as (
    select
        contract_term_id,
        case when outcome = 'lost' then least(coalesce(notice_on, ended_on), ended_on) end
            as left_on,
        case when outcome <> 'lost' then renewed_on end as renewed_on
    from {{ ref('fct_contract_terms') }}
),

scores as (
    {{ stored_scores() }}
),

assessments as (
    {{ stored_judgements() }}
),

later as (
    select
        contract_term_id,
        band_at_d{{ lead_days }} as band,
        human_sign_today_at_d{{ lead_days }} as human_sign_today
    from {{ ref('int_renewal_scores') }}
),

-- An action that nobody had ever been seen to take by then was not recorded.
actions_recorded as (
    select
        action,
        min(happened_on) as from_on
    from actions
    group by action
),

taken as (
    select distinct
        enrolments.program_id,
        enrolments.account_id
    from enrolments
    inner join programs on enrolments.program_id = programs.program_id
    inner join actions
        on
            enrolments.account_id = actions.account_id
            and programs.wanted_action = actions.action
            and enrolments.enrolled_on < actions.happened_on
            and {{ days_after('enrolments.enrolled_on', action_days) }} >= actions.happened_on
),

action_outcomes as (
    select
        enrolments.program_id,
        enrolments.account_id,
        'action_taken_{{ action_days }}d' as outcome_measure,
        cast(null as {{ dbt.type_string() }}) as contract_term_id,
        enrolments.enrolled_on,
        {{ days_after('enrolments.enrolled_on', action_days) }} as falls_on,
        {{ days_after('enrolments.enrolled_on', action_days) }} as final_on,
        enrolments.arm,
        case
            when enrolments.has_both_arms then 'in_both_arms'
            when enrolments.logged_on > enrolments.enrolled_on then 'logged_late'
            when
                actions_recorded.from_on is null
                or enrolments.enrolled_on < actions_recorded.from_on
                then 'not_recorded'
            when {{ days_after('enrolments.enrolled_on', action_days) }} > {{ as_of_date() }}
                then 'open'
            else 'counted'
        end as counting,
        taken.account_id is not null as is_kept
    from enrolments
    left join programs on enrolments.program_id = programs.program_id
    left join actions_recorded on programs.wanted_action = actions_recorded.action
    left join taken
        on
            enrolments.program_id = taken.program_id
            and enrolments.account_id = taken.account_id
),

-- What was foreseen on the day of enrolment: the newest score and the newest judgement by then.
known_scores as (
    {{ known_scores('next_renewals', ['program_id', 'account_id'], 'enrolled_on') }}
),

known_assessments as (
    {{ known_judgements('next_renewals', ['program_id', 'account_id'], 'enrolled_on') }}
),

foreseen as (
    select
        next_renewals.*,
        terms.left_on <= next_renewals.looked_on as has_left_by_look,
        terms.renewed_on <= next_renewals.looked_on as has_renewed_by_look,
        {{ at_risk('known_scores.band', 'known_assessments.sign_today_share') }} as was_at_risk,
        {{ at_risk('later.band', 'later.human_sign_today') }} as is_at_risk_later
    from next_renewals
    left join terms on next_renewals.contract_term_id = terms.contract_term_id
    left join later on next_renewals.contract_term_id = later.contract_term_id
    left join known_scores
        on
            next_renewals.program_id = known_scores.program_id
            and next_renewals.account_id = known_scores.account_id
            and known_scores.newest_rank = 1
    left join known_assessments
        on
            next_renewals.program_id = known_assessments.program_id
            and next_renewals.account_id = known_assessments.account_id
            and known_assessments.newest_rank = 1
),

-- Both arms were foreseen to leave on the same grounds, so what returns to the mean by itself
-- returns in both.
forecast_outcomes as (
    select
        program_id,
        account_id,
        'forecast_turned' as outcome_measure,
        contract_term_id,
        enrolled_on,
        looked_on as falls_on,
        looked_on as final_on,
        arm,
        case
            when counting in ('in_both_arms', 'logged_late', 'nothing_due', 'decided_before')
                then counting
            when was_at_risk is null then 'not_recorded'
            when not was_at_risk then 'not_foreseen'
            when looked_on <= enrolled_on then 'nothing_due'
            when looked_on > {{ as_of_date() }} then 'open'
            when has_left_by_look or has_renewed_by_look then 'counted'
            when is_at_risk_later is null then 'not_recorded'
            else 'counted'
        end as counting,
        case
            when has_left_by_look then false
            when has_renewed_by_look then true
            else not is_at_risk_later
        end as is_kept
    from foreseen
),

loss_outcomes as (
    select
        program_id,
        account_id,
        'foreseen_loss_averted' as outcome_measure,
        contract_term_id,
        enrolled_on,
        falls_on,
        final_on,
        arm,
        case
            when counting in ('in_both_arms', 'logged_late', 'nothing_due', 'decided_before')
                then counting
            when was_at_risk is null then 'not_recorded'
            when not was_at_risk then 'not_foreseen'
            else counting
        end as counting,
        is_kept
    from foreseen
)

{{ counted_outcomes(['action_outcomes', 'forecast_outcomes', 'loss_outcomes']) }}
