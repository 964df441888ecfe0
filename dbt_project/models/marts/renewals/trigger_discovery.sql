with

findings as (
    select
        as_of as quarter_end_on,
        trigger_type,
        outcome,
        found_on,
        refusal,
        window_days,
        windows,
        accounts,
        days_after,
        days_control,
        outcomes_after,
        outcomes_control,
        rate_after,
        rate_control,
        rate_ratio,
        low,
        high,
        p_value,
        q_value,
        is_associated,
        max(as_of) over () as newest_quarter_end_on
    from {{ ref('stg_scores__trigger_findings') }}
)

select
    findings.quarter_end_on,
    findings.trigger_type,
    findings.outcome,
    findings.found_on,
    labels.label as outcome_label,
    case
        when findings.refusal is not null then 'refused'
        when not findings.is_associated then 'no_difference_shown'
        when findings.rate_ratio > 1 then 'followed_by_more'
        else 'followed_by_fewer'
    end as verdict,
    findings.refusal as refusal_reason,
    cast(findings.window_days as bigint) as window_days,
    cast(findings.windows as bigint) as events,
    cast(findings.accounts as bigint) as accounts,
    cast(findings.days_after as bigint) as days_after,
    cast(findings.days_control as bigint) as days_before,
    cast(findings.outcomes_after as bigint) as outcomes_after,
    cast(findings.outcomes_control as bigint) as outcomes_before,
    {{ stable('findings.rate_after') }} as yearly_rate_after,
    {{ stable('findings.rate_control') }} as yearly_rate_before,
    {{ stable('findings.rate_ratio') }} as rate_ratio,
    {{ stable('findings.low') }} as rate_ratio_low,
    {{ stable('findings.high') }} as rate_ratio_high,
    {{ stable('findings.p_value') }} as p_value,
    {{ stable('findings.q_value') }} as q_value,
    findings.quarter_end_on = findings.newest_quarter_end_on as is_current
from findings
left join {{ ref('customer_actions') }} as labels on findings.outcome = labels.action
