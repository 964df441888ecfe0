with

enrolments as (
    select
        enrolments.program_id,
        count(distinct case when enrolments.arm = 'treated' then accounts.account_id end)
            as accounts_treated,
        count(distinct case when enrolments.arm = 'control' then accounts.account_id end)
            as accounts_control
    from {{ ref('input_program_enrolments') }} as enrolments
    inner join {{ ref('int_account_map') }} as accounts
        on enrolments.account_id = accounts.source_account_id
    where not accounts.is_test
    group by enrolments.program_id
),

-- What a programme names itself counts before what programmes of its type mostly want.
named_actions as (
    select action
    from {{ ref('customer_actions') }}
),

actions_of_types as (
    select
        program_type,
        action
    from {{ ref('program_actions') }}
),

enrolments_recorded as (
    select count(*) > 0 as is_recorded
    from enrolments
)

select
    programs.program_id,
    programs.started_on,
    programs.ended_on,
    programs.program_name,
    programs.program_type,
    programs.predicted_action,
    coalesce(named_actions.action, actions_of_types.action) as wanted_action,
    programs.cost_usd,
    case
        when enrolments_recorded.is_recorded
            then cast(coalesce(enrolments.accounts_treated, 0) as bigint)
    end as accounts_treated,
    case
        when enrolments_recorded.is_recorded
            then cast(coalesce(enrolments.accounts_control, 0) as bigint)
    end as accounts_control,
    programs.is_randomised
from {{ ref('input_programs') }} as programs
cross join enrolments_recorded
left join named_actions on lower(trim(programs.predicted_action)) = named_actions.action
left join actions_of_types on lower(trim(programs.program_type)) = actions_of_types.program_type
left join enrolments on programs.program_id = enrolments.program_id
