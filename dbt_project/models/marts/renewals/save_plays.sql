with

plans as (
    select
        action_plan_id,
        account_id,
        owner_id,
        contract_term_id,
        opened_on,
        closed_on,
        renewal_due_on,
        segment,
        region,
        outcome,
        renewal_outcome,
        due_arr_usd,
        kept_arr_usd,
        cost_usd,
        days_before_due_at_open,
        objectives_done_rate,
        was_at_risk_when_opened,
        is_on_time,
        {{ last_month_end('opened_on') }} as valued_on
    from {{ ref('action_plans') }}
    where plan_type = 'save'
),

decided as (
    select
        contract_term_id,
        is_renewed,
        is_lost
    from {{ ref('renewals') }}
),

potentials as (
    select
        account_id,
        month_end_on,
        potential_10y_usd
    from {{ ref('customer_value') }}
),

plays as (
    select
        plans.*,
        employees.function,
        potentials.potential_10y_usd,
        case
            when plans.days_before_due_at_open > 180 then '>180'
            when plans.days_before_due_at_open > 90 then '91-180'
            when plans.days_before_due_at_open > 30 then '31-90'
            when plans.days_before_due_at_open >= 0 then '0-30'
        end as lead_time_band,
        case when decided.is_renewed then true when decided.is_lost then false end as is_saved,
        -- Two plays for one renewal did not save it twice: the last one opened has it.
        row_number() over (
            partition by plans.contract_term_id
            order by plans.opened_on desc, plans.action_plan_id asc
        ) = 1 and plans.contract_term_id is not null as is_last_for_renewal
    from plans
    left join decided on plans.contract_term_id = decided.contract_term_id
    left join {{ ref('dim_employees') }} as employees on plans.owner_id = employees.employee_id
    left join potentials
        on
            plans.account_id = potentials.account_id
            and plans.valued_on = potentials.month_end_on
)

select
    action_plan_id as play_id,
    account_id,
    owner_id,
    contract_term_id,
    opened_on,
    closed_on,
    renewal_due_on,
    segment,
    region,
    case when owner_id is null then 'unowned' else coalesce(function, 'unknown') end
        as assigned_tier,
    lead_time_band,
    outcome,
    renewal_outcome,
    days_before_due_at_open as days_before_due,
    due_arr_usd,
    case when is_saved and is_last_for_renewal then kept_arr_usd end as arr_saved_usd,
    cost_usd,
    {{ stable(
        'case when is_saved and is_last_for_renewal and kept_arr_usd > 0'
        ~ ' then cost_usd / kept_arr_usd end'
    ) }} as cost_per_arr_saved_ratio,
    potential_10y_usd,
    {{ stable(
        'case when potential_10y_usd is not null then percent_rank() over ('
        ~ 'partition by case when potential_10y_usd is null then 0 else 1 end'
        ~ ' order by potential_10y_usd) end'
    ) }} as potential_percentile,
    objectives_done_rate,
    is_saved,
    is_last_for_renewal,
    was_at_risk_when_opened,
    is_on_time
from plays
