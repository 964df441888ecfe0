{# A segment speaks for itself from so many losses on; below them the whole base speaks for it. #}
{% set losses_needed = 10 %}

with

observations as (
    select
        observations.account_id,
        observations.observed_on,
        observations.month_end_on,
        coalesce(accounts.segment, '(unknown)') as segment
    from {{ ref('int_account_observations') }} as observations
    inner join
        {{ ref('dim_accounts') }} as accounts
        on observations.account_id = accounts.account_id
),

terms as (
    select
        account_id,
        contract_term_id,
        cycle_number,
        started_on,
        due_on,
        least(
            coalesce(ended_on, cast('9999-12-31' as date)),
            case when outcome = 'superseded' then renewed_on else cast('9999-12-31' as date) end
        ) as over_on,
        due_arr_usd,
        is_evergreen
    from {{ ref('fct_contract_terms') }}
),

-- The renewal that matters is that of the largest contract in force; past its due date it is due
-- now.
in_force as (
    select
        observations.account_id,
        observations.observed_on,
        observations.month_end_on,
        observations.segment,
        terms.contract_term_id,
        terms.cycle_number,
        terms.due_on,
        terms.is_evergreen,
        row_number() over (
            partition by observations.account_id, observations.observed_on
            order by terms.due_arr_usd desc, terms.due_on asc, terms.contract_term_id asc
        ) as size_rank
    from observations
    inner join terms
        on
            observations.account_id = terms.account_id
            and observations.observed_on >= terms.started_on
            and observations.observed_on < terms.due_on
            and observations.observed_on < terms.over_on
),

score_candidates as (
    select
        accounts.account_id,
        scores.as_of,
        scores.p,
        scores.is_backfill,
        case when accounts.is_merged then 1 else 0 end as merged_order
    from {{ ref('stg_scores__churn_score_history') }} as scores
    inner join {{ ref('int_account_map') }} as accounts
        on scores.account_id = accounts.source_account_id
    where scores.head = 'next_renewal'
),

scored as (
    select
        in_force.account_id,
        in_force.observed_on,
        scores.p,
        scores.as_of,
        -- A score of that night counts before one drawn up afterwards for it.
        row_number() over (
            partition by in_force.account_id, in_force.observed_on
            order by scores.as_of desc, scores.is_backfill asc, scores.merged_order asc
        ) as newest_rank
    from in_force
    inner join score_candidates as scores
        on
            in_force.account_id = scores.account_id
            and in_force.observed_on >= scores.as_of
            and scores.as_of > {{ days_after('in_force.observed_on', -45) }}
    where in_force.size_rank = 1
),

fits as (
    select
        month_end_on,
        segment,
        renewals_lost,
        alpha,
        beta
    from {{ ref('int_renewal_survival_fits') }}
)

select
    in_force.account_id,
    in_force.observed_on,
    in_force.month_end_on,
    in_force.segment,
    in_force.due_on as next_due_on,
    scored.as_of as scored_on,
    cast(in_force.cycle_number as bigint) as cycle_number,
    {{ dbt.datediff('in_force.observed_on', 'in_force.due_on', 'day') }}
    / 30.4375 as months_to_renewal,
    case
        when own.renewals_lost >= {{ losses_needed }} then own.alpha
        when pooled.renewals_lost >= 1 then pooled.alpha
    end as alpha,
    case
        when own.renewals_lost >= {{ losses_needed }} then own.beta
        when pooled.renewals_lost >= 1 then pooled.beta
    end as beta,
    case
        when own.renewals_lost >= {{ losses_needed }} then 'segment'
        when pooled.renewals_lost >= 1 then 'all'
    end as tail_basis,
    scored.p as scored_p_lost,
    in_force.is_evergreen
from in_force
left join scored
    on
        in_force.account_id = scored.account_id
        and in_force.observed_on = scored.observed_on
        and scored.newest_rank = 1
left join fits as own
    on in_force.month_end_on = own.month_end_on and in_force.segment = own.segment
left join fits as pooled
    on in_force.month_end_on = pooled.month_end_on and pooled.segment = '(all)'
where in_force.size_rank = 1
