{# With fewer accounts in an arm a difference tells stories about single ones. #}
{% set smallest_arm = 20 %}
{% set counts = [
    'accounts_enrolled', 'accounts_open', 'accounts_nothing_due', 'accounts_decided_before',
    'accounts_paused', 'accounts_logged_late', 'accounts_in_both_arms', 'accounts_not_recorded',
    'accounts_not_foreseen', 'accounts_treated', 'accounts_control', 'kept_treated',
    'kept_control',
] %}
with

programs as (
    select
        program_id,
        started_on,
        program_name,
        program_type,
        wanted_action,
        is_randomised
    from {{ ref('dim_programs') }}
),

outcomes as (
    select
        program_id,
        account_id,
        outcome_measure,
        enrolled_on,
        falls_on,
        arm,
        counting,
        is_kept
    from {{ ref('int_program_outcomes') }}
    union all
    select
        program_id,
        account_id,
        outcome_measure,
        enrolled_on,
        falls_on,
        arm,
        counting,
        is_kept
    from {{ ref('int_program_changes') }}
),

terms as (
    select
        account_id,
        due_on as falls_on,
        outcome <> 'lost' as is_kept
    from {{ ref('fct_contract_terms') }}
    where
        outcome not in ('open', 'pending', 'paused')
        and {{ days_after('due_on', var('renewal_grace_days')) }} <= {{ as_of_date() }}
),

account_months as (
    select
        account_id,
        month_end_on,
        is_paying
    from {{ ref('fct_account_months') }}
),

measures as (
    select 'next_renewal_kept' as outcome_measure
    union all
    select 'paying_after_12_months' as outcome_measure
),

-- Whether it keeps customers is asked of every programme; whether it changed anything before that,
-- of those that have somebody enrolled.
asked as (
    select
        programs.program_id,
        measures.outcome_measure
    from programs
    cross join measures
    union distinct
    select
        program_id,
        outcome_measure
    from outcomes
),

counted as (
    select
        program_id,
        outcome_measure,
        min(enrolled_on) as first_enrolled_on,
        max(enrolled_on) as last_enrolled_on,
        min(case when counting = 'counted' and arm = 'treated' then falls_on end)
            as first_counted_on,
        max(case when counting = 'counted' and arm = 'treated' then falls_on end)
            as last_counted_on,
        count(*) as accounts_enrolled,
        count(case when counting = 'open' then 1 end) as accounts_open,
        count(case when counting = 'nothing_due' then 1 end) as accounts_nothing_due,
        count(case when counting = 'decided_before' then 1 end) as accounts_decided_before,
        count(case when counting = 'paused' then 1 end) as accounts_paused,
        count(case when counting = 'logged_late' then 1 end) as accounts_logged_late,
        count(case when counting = 'in_both_arms' then 1 end) as accounts_in_both_arms,
        count(case when counting = 'not_recorded' then 1 end) as accounts_not_recorded,
        count(case when counting = 'not_foreseen' then 1 end) as accounts_not_foreseen,
        count(case when counting = 'counted' and arm = 'treated' then 1 end) as accounts_treated,
        count(case when counting = 'counted' and arm = 'control' then 1 end) as accounts_control,
        count(case when is_kept and arm = 'treated' then 1 end) as kept_treated,
        count(case when is_kept and arm = 'control' then 1 end) as kept_control
    from outcomes
    group by program_id, outcome_measure
),

-- Each pair of month-ends a year apart at which an account could have left in between.
years as (
    select
        later.account_id,
        later.month_end_on as falls_on,
        later.is_paying as is_kept
    from account_months as later
    inner join account_months as earlier
        on
            later.account_id = earlier.account_id
            and earlier.month_end_on = {{ month_end(months_after('later.month_end_on', -12)) }}
            and earlier.is_paying
),

chances as (
    select
        'next_renewal_kept' as outcome_measure,
        account_id,
        falls_on,
        is_kept
    from terms
    union all
    select
        'paying_after_12_months' as outcome_measure,
        account_id,
        falls_on,
        is_kept
    from years
),

treated as (
    select distinct
        program_id,
        account_id
    from outcomes
    where arm = 'treated'
),

-- What one would compare with had nobody been held out: all the others over the same days, whoever
-- they are.
others as (
    select
        counted.program_id,
        counted.outcome_measure,
        count(*) as chances_others,
        count(case when chances.is_kept then 1 end) as kept_others
    from counted
    inner join chances
        on
            counted.outcome_measure = chances.outcome_measure
            and counted.first_counted_on <= chances.falls_on
            and counted.last_counted_on >= chances.falls_on
    left join treated
        on
            counted.program_id = treated.program_id
            and chances.account_id = treated.account_id
    where treated.account_id is null
    group by counted.program_id, counted.outcome_measure
),

-- Where nobody drew lots: the newest comparison with those who could have been enrolled too.
compared as (
    select
        findings.program_id,
        findings.outcome_measure,
        findings.as_of as compared_on,
        findings.treated,
        findings.control,
        findings.effect,
        findings.low,
        findings.high,
        findings.ess_treated,
        findings.ess_control,
        findings.overlap_share,
        findings.worst_covariate,
        findings.worst_smd,
        findings.refusal,
        row_number() over (
            partition by findings.program_id, findings.outcome_measure
            order by findings.as_of desc
        ) as newest_rank
    from {{ ref('stg_scores__program_findings') }} as findings
    inner join programs on findings.program_id = programs.program_id
    where not programs.is_randomised
),

judged as (
    select
        programs.program_id,
        programs.started_on,
        programs.program_name,
        programs.program_type,
        programs.is_randomised,
        asked.outcome_measure,
        counted.first_enrolled_on,
        counted.last_enrolled_on,
        {% for count in counts -%}
            coalesce(counted.{{ count }}, 0) as {{ count }},
        {% endfor -%}
        coalesce(others.chances_others, 0) as chances_others,
        coalesce(others.kept_others, 0) as kept_others,
        case
            when asked.outcome_measure = 'action_taken_180d' and programs.wanted_action is null
                then 'action_unknown'
            when programs.is_randomised is null then 'randomisation_unknown'
            when not programs.is_randomised and compared.program_id is null then 'not_randomised'
            when not programs.is_randomised and compared.refusal is not null
                then 'no_fair_comparison'
            when not programs.is_randomised then null
            when coalesce(counted.accounts_treated, 0) < {{ smallest_arm }}
                then 'too_few_treated'
            when coalesce(counted.accounts_control, 0) < {{ smallest_arm }}
                then 'too_few_in_control'
        end as refusal_reason,
        compared.compared_on,
        compared.treated as compared_treated,
        compared.control as compared_control,
        compared.effect as compared_effect,
        compared.low as compared_low,
        compared.high as compared_high,
        compared.ess_treated,
        compared.ess_control,
        compared.overlap_share,
        compared.worst_covariate,
        compared.worst_smd,
        compared.refusal
    from programs
    inner join asked on programs.program_id = asked.program_id
    left join counted
        on
            programs.program_id = counted.program_id
            and asked.outcome_measure = counted.outcome_measure
    left join others
        on
            programs.program_id = others.program_id
            and asked.outcome_measure = others.outcome_measure
    left join compared
        on
            programs.program_id = compared.program_id
            and asked.outcome_measure = compared.outcome_measure
            and compared.newest_rank = 1
),

rated as (
    select
        program_id,
        outcome_measure,
        cast(kept_treated as double) / nullif(accounts_treated, 0) as rate_treated,
        cast(kept_control as double) / nullif(accounts_control, 0) as rate_control,
        cast(kept_others as double) / nullif(chances_others, 0) as rate_others
    from judged
),

-- Wilson's score interval of each arm.
scored as (
    select
        rated.program_id,
        rated.outcome_measure,
        rated.rate_treated,
        rated.rate_control,
        rated.rate_others,
        {{ wilson_end('rated.rate_treated', 'judged.accounts_treated', '-') }} as low_treated,
        {{ wilson_end('rated.rate_treated', 'judged.accounts_treated', '+') }} as high_treated,
        {{ wilson_end('rated.rate_control', 'judged.accounts_control', '-') }} as low_control,
        {{ wilson_end('rated.rate_control', 'judged.accounts_control', '+') }} as high_control
    from rated
    inner join judged
        on
            rated.program_id = judged.program_id
            and rated.outcome_measure = judged.outcome_measure
    where judged.accounts_treated > 0 and judged.accounts_control > 0
),

-- Newcombe (1998), method 10: the arms' own distances to their ends, joined like the sides of a
-- right angle.
estimated as (
    select
        program_id,
        outcome_measure,
        rate_treated - rate_control as uplift,
        rate_treated - rate_control - sqrt(
            (rate_treated - low_treated) * (rate_treated - low_treated)
            + (high_control - rate_control) * (high_control - rate_control)
        ) as uplift_low,
        rate_treated - rate_control + sqrt(
            (high_treated - rate_treated) * (high_treated - rate_treated)
            + (rate_control - low_control) * (rate_control - low_control)
        ) as uplift_high
    from scored
)

select
    judged.program_id,
    judged.outcome_measure,
    judged.started_on,
    judged.first_enrolled_on,
    judged.last_enrolled_on,
    judged.compared_on,
    judged.program_name,
    judged.program_type,
    judged.refusal_reason,
    judged.refusal as refusal_detail,
    case
        when judged.is_randomised then 'experiment'
        when judged.compared_on is not null then 'adjusted_comparison'
    end as method,
    case
        when judged.refusal_reason is not null then 'refused'
        when judged.is_randomised and estimated.uplift_low > 0 then 'raises'
        when judged.is_randomised and estimated.uplift_high < 0 then 'lowers'
        when not judged.is_randomised and judged.compared_low > 0 then 'goes_with_more'
        when not judged.is_randomised and judged.compared_high < 0 then 'goes_with_fewer'
        else 'no_difference_shown'
    end as verdict,
    {% for count in counts -%}
        cast(judged.{{ count }} as bigint) as {{ count }},
    {% endfor -%}
    {{ stable('rated.rate_treated') }} as kept_rate_treated,
    {{ stable('rated.rate_control') }} as kept_rate_control,
    {% for column, compared in [
        ('uplift', 'effect'), ('uplift_low', 'low'), ('uplift_high', 'high'),
    ] -%}
        case
            when judged.refusal_reason is not null then null
            when judged.is_randomised then {{ stable('estimated.' ~ column) }}
            else {{ stable('judged.compared_' ~ compared) }}
        end as {{ column }},
    {% endfor -%}
    cast(judged.compared_treated as bigint) as compared_treated,
    cast(judged.compared_control as bigint) as compared_control,
    {{ stable('judged.ess_treated') }} as effective_treated,
    {{ stable('judged.ess_control') }} as effective_control,
    {{ stable('judged.overlap_share') }} as overlap_share,
    judged.worst_covariate,
    {{ stable('judged.worst_smd') }} as worst_difference_sd,
    cast(judged.chances_others as bigint) as chances_others,
    {{ stable('rated.rate_treated - rated.rate_others') }} as naive_difference,
    judged.is_randomised
from judged
inner join rated
    on
        judged.program_id = rated.program_id
        and judged.outcome_measure = rated.outcome_measure
left join estimated
    on
        judged.program_id = estimated.program_id
        and judged.outcome_measure = estimated.outcome_measure
