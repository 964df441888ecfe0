{# Days for which a judgement speaks, and a score. #}
{% set judged_days, scored_days = 62, 31 %}
with

account_map as (
    select
        source_account_id,
        account_id
    from {{ ref('int_account_map') }}
    where not is_test
),

plans as (
    select
        plans.action_plan_id,
        account_map.account_id,
        plans.owner_id,
        plans.plan_type,
        plans.opened_on,
        plans.due_on,
        plans.closed_on,
        plans.outcome,
        plans.cost_usd,
        plans.closed_on is null as is_live
    from {{ ref('input_action_plans') }} as plans
    inner join account_map on plans.account_id = account_map.source_account_id
),

objectives as (
    select
        action_plan_id,
        count(*) as objectives_total,
        count(done_on) as objectives_done,
        count(case when done_on <= due_on then 1 end) as objectives_done_on_time,
        count(case when done_on is null and due_on < {{ as_of_date() }} then 1 end)
            as objectives_overdue
    from {{ ref('input_action_plan_objectives') }}
    group by action_plan_id
),

objectives_recorded as (
    select count(*) > 0 as is_recorded
    from objectives
),

assessments as (
    select
        account_id,
        risk_assessment_id,
        assessed_on,
        {{ visible_on('assessed_on', 'known_at') }} as visible_on,
        sign_today_share
    from {{ ref('fct_risk_assessments') }}
    where account_id is not null and sign_today_share is not null
),

judged as (
    select
        plans.action_plan_id,
        assessments.sign_today_share,
        row_number() over (
            partition by plans.action_plan_id
            order by assessments.assessed_on desc, assessments.risk_assessment_id asc
        ) as newest_rank
    from plans
    inner join assessments
        on
            plans.account_id = assessments.account_id
            and plans.opened_on >= assessments.visible_on
            and {{ days_after('plans.opened_on', 0 - judged_days) }} < assessments.assessed_on
),

-- A backfilled score says what would have been feared, not what was.
scores as (
    select
        account_map.account_id,
        scores.as_of,
        scores.account_id as scored_account_id,
        scores.p,
        scores.band
    from {{ ref('stg_scores__churn_score_history') }} as scores
    inner join account_map on scores.account_id = account_map.source_account_id
    where scores.head = 'next_renewal' and not scores.is_backfill
),

scored as (
    select
        plans.action_plan_id,
        scores.p,
        scores.band,
        row_number() over (
            partition by plans.action_plan_id
            order by scores.as_of desc, scores.scored_account_id asc
        ) as newest_rank
    from plans
    inner join scores
        on
            plans.account_id = scores.account_id
            and plans.opened_on >= scores.as_of
            and {{ days_after('plans.opened_on', 0 - scored_days) }} < scores.as_of
),

-- A plan answers for the renewal that comes due next, whichever contract it is of.
terms as (
    select
        plans.action_plan_id,
        renewals.contract_term_id,
        renewals.due_on,
        renewals.outcome,
        renewals.due_arr_usd,
        renewals.kept_arr_usd,
        row_number() over (
            partition by plans.action_plan_id
            order by renewals.due_on, renewals.contract_term_id
        ) as due_rank
    from plans
    inner join {{ ref('renewals') }} as renewals
        on
            plans.account_id = renewals.account_id
            and plans.opened_on <= renewals.due_on
),

accounts as (
    select
        account_id,
        contract_term_id,
        owner_id,
        next_due_on,
        arr_usd,
        p_lost_next_renewal,
        p_sign_today_human,
        has_plan,
        is_at_risk
    from {{ ref('churn_risk') }}
),

-- Only a plan that is to keep the customer is a plan for an account at risk; see churn_risk.
missing as (
    select *
    from accounts
    where is_at_risk and not has_plan
),

listed as (
    select
        plans.action_plan_id as plan_key,
        plans.action_plan_id,
        plans.account_id,
        plans.owner_id,
        terms.contract_term_id,
        plans.opened_on,
        plans.due_on,
        plans.closed_on,
        terms.due_on as renewal_due_on,
        plans.plan_type,
        case
            when not plans.is_live then 'closed'
            when plans.due_on < {{ as_of_date() }} then 'overdue'
            else 'open'
        end as plan_state,
        plans.outcome,
        terms.outcome as renewal_outcome,
        terms.due_arr_usd,
        terms.kept_arr_usd,
        plans.cost_usd,
        objectives.objectives_total,
        objectives.objectives_done,
        objectives.objectives_done_on_time,
        objectives.objectives_overdue,
        judged.sign_today_share as p_sign_today_human_at_open,
        scored.p as p_lost_at_open,
        plans.is_live,
        case
            when plans.closed_on is not null then plans.closed_on <= plans.due_on
            when plans.due_on < {{ as_of_date() }} then false
        end as is_on_time,
        {{ at_risk('scored.band', 'judged.sign_today_share') }} as was_at_risk_when_opened
    from plans
    left join objectives on plans.action_plan_id = objectives.action_plan_id
    left join judged
        on plans.action_plan_id = judged.action_plan_id and judged.newest_rank = 1
    left join scored
        on plans.action_plan_id = scored.action_plan_id and scored.newest_rank = 1
    left join terms on plans.action_plan_id = terms.action_plan_id and terms.due_rank = 1
    union all
    select
        'missing/' || missing.account_id as plan_key,
        cast(null as {{ dbt.type_string() }}) as action_plan_id,
        missing.account_id,
        cast(null as {{ dbt.type_string() }}) as owner_id,
        missing.contract_term_id,
        cast(null as date) as opened_on,
        cast(null as date) as due_on,
        cast(null as date) as closed_on,
        missing.next_due_on as renewal_due_on,
        cast(null as {{ dbt.type_string() }}) as plan_type,
        'missing' as plan_state,
        cast(null as {{ dbt.type_string() }}) as outcome,
        'open' as renewal_outcome,
        missing.arr_usd as due_arr_usd,
        cast(null as decimal(18, 2)) as kept_arr_usd,
        cast(null as decimal(18, 2)) as cost_usd,
        cast(null as bigint) as objectives_total,
        cast(null as bigint) as objectives_done,
        cast(null as bigint) as objectives_done_on_time,
        cast(null as bigint) as objectives_overdue,
        cast(null as double) as p_sign_today_human_at_open,
        cast(null as double) as p_lost_at_open,
        false as is_live,
        cast(null as boolean) as is_on_time,
        cast(null as boolean) as was_at_risk_when_opened
    from missing
)

select
    listed.plan_key,
    listed.action_plan_id,
    listed.account_id,
    listed.owner_id,
    coalesce(accounts.owner_id, dim_accounts.owner_id) as account_owner_id,
    listed.contract_term_id,
    listed.opened_on,
    listed.due_on,
    listed.closed_on,
    listed.renewal_due_on,
    dim_accounts.segment,
    dim_accounts.region,
    listed.plan_type,
    listed.plan_state,
    listed.outcome,
    listed.renewal_outcome,
    listed.due_arr_usd,
    listed.kept_arr_usd,
    listed.cost_usd,
    cast(
        {{ dbt.datediff('listed.opened_on', 'listed.renewal_due_on', 'day') }}
        as bigint
    ) as days_before_due_at_open,
    case
        when listed.plan_state <> 'missing' and objectives_recorded.is_recorded
            then coalesce(listed.objectives_total, 0)
    end as objectives_total,
    case
        when listed.plan_state <> 'missing' and objectives_recorded.is_recorded
            then coalesce(listed.objectives_done, 0)
    end as objectives_done,
    case
        when listed.plan_state <> 'missing' and objectives_recorded.is_recorded
            then coalesce(listed.objectives_done_on_time, 0)
    end as objectives_done_on_time,
    case
        when listed.plan_state <> 'missing' and objectives_recorded.is_recorded
            then coalesce(listed.objectives_overdue, 0)
    end as objectives_overdue,
    {{ stable('1.0 * listed.objectives_done / nullif(listed.objectives_total, 0)') }}
        as objectives_done_rate,
    {{ stable('listed.p_sign_today_human_at_open') }} as p_sign_today_human_at_open,
    {{ stable('listed.p_lost_at_open') }} as p_lost_at_open,
    {{ stable('accounts.p_sign_today_human') }} as p_sign_today_human_now,
    {{ stable('accounts.p_lost_next_renewal') }} as p_lost_now,
    listed.is_live,
    listed.owner_id is not null as has_owner,
    case
        when listed.owner_id is not null
            then
                employees.employee_id is not null
                and (employees.left_on is null or employees.left_on > {{ as_of_date() }})
    end as is_owner_employed,
    listed.is_on_time,
    listed.was_at_risk_when_opened,
    coalesce(accounts.is_at_risk, false) as is_at_risk_now
from listed
cross join objectives_recorded
left join accounts on listed.account_id = accounts.account_id
left join {{ ref('dim_accounts') }} as dim_accounts
    on listed.account_id = dim_accounts.account_id
left join {{ ref('dim_employees') }} as employees on listed.owner_id = employees.employee_id
