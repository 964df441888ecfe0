{#
    The quarters whose findings may still be missing, and the five years that may stand behind the
    first of them. Older ones are found, and what is found stays.
#}
{% set kept_months = 72 %}
{% set first_records = {
    'activities': ('input_activities', 'event_at'),
    'activity_participants': ('input_activities', 'event_at'),
    'action_plans': ('input_action_plans', 'opened_on'),
    'success_measurements': ('input_success_measurements', 'measured_on'),
    'program_enrolments': ('input_program_enrolments', 'enrolled_on'),
    'survey_responses': ('input_survey_responses', 'responded_on'),
    'advocacy_acts': ('input_advocacy_acts', 'occurred_on'),
    'social_signals': ('input_social_signals', 'occurred_on'),
    'cases': ('input_cases', 'opened_at'),
    'service_levels': ('input_service_levels', 'measured_on'),
    'contact_states': ('input_contact_states', 'known_at'),
    'subscription_items': ('input_subscription_versions', 'valid_from'),
    'payments': ('input_payments', 'paid_at'),
} %}
with

decisions as (
    select
        contract_term_id,
        account_id,
        window_days,
        window_start_on,
        window_end_on
    from {{ ref('int_renewal_decisions') }}
    where final_on > {{ months_after(as_of_date(), 0 - kept_months) }}
),

renewals as (
    select
        contract_term_id,
        account_id,
        max(window_end_on) as window_end_on,
        min(window_start_on) as window_start_on
    from decisions
    group by contract_term_id, account_id
),

dated_actions as (
    select
        account_id,
        action,
        happened_on,
        visible_on
    from {{ ref('int_dated_actions') }}
),

-- The last time before the windows' common end tells for each of them whether it was done inside.
last_done as (
    select
        renewals.contract_term_id,
        dated_actions.action,
        max(dated_actions.happened_on) as last_done_on
    from renewals
    inner join dated_actions
        on
            renewals.account_id = dated_actions.account_id
            and renewals.window_start_on <= dated_actions.happened_on
            and renewals.window_end_on >= dated_actions.happened_on
            and renewals.window_end_on >= dated_actions.visible_on
    group by renewals.contract_term_id, dated_actions.action
),

-- From when an input records anything; before that, nothing done is nothing known.
recorded as (
    {%- for input_name, (model, clock) in first_records.items() %}
        select
            '{{ input_name }}' as input_name,
            cast(min({{ clock }}) as date) as recorded_from_on
        from {{ ref(model) }}
        {{ 'union all' if not loop.last }}
    {%- endfor %}
),

-- Use is known account by account: some have no workspace.
used as (
    select
        account_id,
        min(observed_on) as recorded_from_on
    from {{ ref('int_usage_account_months') }}
    where events_28d is not null
    group by account_id
),

actions as (
    select
        customer_actions.action,
        customer_actions.input_name,
        recorded.recorded_from_on
    from {{ ref('customer_actions') }} as customer_actions
    left join recorded on customer_actions.input_name = recorded.input_name
)

select
    decisions.contract_term_id,
    actions.action,
    decisions.window_days,
    decisions.account_id,
    decisions.window_start_on,
    decisions.window_end_on,
    last_done.last_done_on,
    case
        when last_done.last_done_on >= decisions.window_start_on then cast(1 as bigint)
        when
            case
                when actions.input_name = 'usage_daily' then used.recorded_from_on
                else actions.recorded_from_on
            end <= decisions.window_start_on
            then cast(0 as bigint)
    end as is_done
from decisions
cross join actions
left join last_done
    on
        decisions.contract_term_id = last_done.contract_term_id
        and actions.action = last_done.action
left join used on decisions.account_id = used.account_id
