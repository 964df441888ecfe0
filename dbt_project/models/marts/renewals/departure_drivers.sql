{# Days before a customer leaves by which an attempt to keep it comes in time. #}
{% set in_time_days = 90 %}
with

losses as (
    select
        contract_term_id,
        account_id,
        subscription_id,
        owner_id,
        due_on,
        due_month,
        ended_on,
        loss_notice_on,
        segment,
        region,
        acquisition_origin,
        attention_band,
        surprise_type,
        cycle_number,
        due_arr_usd,
        is_evergreen,
        is_involuntary,
        is_surprise_loss
    from {{ ref('renewals') }}
    where is_lost
),

evidence as (
    select
        contract_term_id,
        stated_reason,
        reason_recorded_on,
        driver_stated,
        driver_seen,
        driver_evidenced,
        is_sponsor_gone,
        is_executive_silent,
        is_champion_missing,
        has_director_left,
        is_stated_confirmed
    from {{ ref('int_renewal_evidence') }}
),

save_plans as (
    select
        account_map.account_id,
        plans.opened_on
    from {{ ref('input_action_plans') }} as plans
    inner join {{ ref('int_account_map') }} as account_map
        on plans.account_id = account_map.source_account_id
    where plans.plan_type = 'save'
),

save_plans_recorded as (
    select min(opened_on) as from_on
    from save_plans
),

-- The first attempt to save the renewal, in the year before the customer left.
attempts as (
    select
        losses.contract_term_id,
        min(save_plans.opened_on) as opened_on
    from losses
    inner join save_plans
        on
            losses.account_id = save_plans.account_id
            and {{ days_after('losses.due_on', -365) }} < save_plans.opened_on
            and least(losses.due_on, losses.ended_on) >= save_plans.opened_on
    group by losses.contract_term_id
),

functions as (
    select
        driver,
        owning_function,
        trust_in_words
    from {{ ref('departure_driver_functions') }}
),

-- Nothing said and nothing seen is a driver too: what is dropped here is never asked about again.
drivers as (
    select
        losses.contract_term_id,
        evidence.stated_reason,
        evidence.reason_recorded_on,
        coalesce(evidence.driver_stated, 'unknown') as driver_stated,
        coalesce(evidence.driver_seen, 'unknown') as driver_seen,
        coalesce(evidence.driver_evidenced, 'unknown') as driver_evidenced,
        case
            when evidence.driver_evidenced is null then 'nothing'
            when losses.is_involuntary then 'billing'
            when evidence.driver_stated is null then 'data_only'
            when evidence.driver_stated <> evidence.driver_evidenced then 'words_overruled'
            when evidence.is_stated_confirmed then 'words_confirmed'
            else 'words_only'
        end as evidence_basis,
        -- The two forms of a lost relationship: those who held it left, or it grew distant.
        case
            when coalesce(evidence.driver_evidenced, 'unknown') <> 'disconnection' then null
            when evidence.is_sponsor_gone then 'champion_loss'
            when evidence.has_director_left then 'exec_change'
            when evidence.is_executive_silent then 'distance'
            when evidence.is_champion_missing then 'champion_loss'
        end as sub_driver,
        case
            when evidence.driver_stated is not null and evidence.driver_evidenced is not null
                then evidence.driver_stated = evidence.driver_evidenced
        end as stated_matches_evidence,
        case
            when evidence.driver_stated is not null and evidence.driver_seen is not null
                then evidence.driver_stated = evidence.driver_seen
        end as stated_matches_seen
    from losses
    inner join evidence on losses.contract_term_id = evidence.contract_term_id
)

select
    losses.contract_term_id,
    losses.account_id,
    losses.subscription_id,
    losses.owner_id,
    losses.due_on,
    losses.due_month,
    losses.ended_on,
    losses.loss_notice_on,
    drivers.reason_recorded_on,
    losses.segment,
    losses.region,
    losses.acquisition_origin,
    losses.attention_band,
    drivers.stated_reason,
    drivers.driver_stated,
    drivers.driver_seen,
    drivers.driver_evidenced,
    drivers.sub_driver,
    drivers.evidence_basis,
    case
        when losses.is_involuntary then 'payment_failed'
        when
            attempts.opened_on
            <= {{ days_after('least(losses.due_on, losses.ended_on)', 0 - in_time_days) }}
            then 'acted_in_time'
        when attempts.opened_on is not null then 'acted_late'
        when
            not losses.is_surprise_loss
            and {{ days_after('losses.due_on', 0 - in_time_days) }} >= save_plans_recorded.from_on
            then 'flagged_not_acted'
        when losses.is_surprise_loss and drivers.driver_seen <> 'unknown' then 'shown_not_flagged'
        when losses.is_surprise_loss then 'nothing_showed'
    end as lesson_code,
    functions.owning_function,
    losses.surprise_type,
    losses.cycle_number,
    losses.due_arr_usd as lost_arr_usd,
    drivers.stated_matches_evidence,
    drivers.stated_matches_seen,
    -- A reason that customers often give in place of another, and that did not hold.
    coalesce(
        stated_functions.trust_in_words <> 'full' and not drivers.stated_matches_evidence, false
    ) as is_excuse,
    case
        when drivers.reason_recorded_on <= {{ days_after('losses.ended_on', 30) }} then true
        when {{ days_after('losses.ended_on', 30) }} <= {{ as_of_date() }} then false
    end as is_postmortem_done,
    losses.is_evergreen,
    losses.is_involuntary,
    losses.is_surprise_loss
from losses
inner join drivers on losses.contract_term_id = drivers.contract_term_id
cross join save_plans_recorded
left join attempts on losses.contract_term_id = attempts.contract_term_id
left join functions on drivers.driver_evidenced = functions.driver
left join functions as stated_functions on drivers.driver_stated = stated_functions.driver
