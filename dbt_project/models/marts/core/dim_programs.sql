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
)

select
    programs.program_id,
    programs.started_on,
    programs.ended_on,
    programs.program_name,
    programs.program_type,
    programs.predicted_action,
    programs.cost_usd,
    cast(coalesce(enrolments.accounts_treated, 0) as bigint) as accounts_treated,
    cast(coalesce(enrolments.accounts_control, 0) as bigint) as accounts_control,
    programs.is_randomised
from {{ ref('input_programs') }} as programs
left join enrolments on programs.program_id = enrolments.program_id
