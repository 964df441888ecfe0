with

renewals as (
    select
        account_id,
        due_month,
        coalesce(segment, '(unknown)') as segment,
        coalesce(attention_band, '(none)') as attention_band,
        outcome,
        surprise_basis,
        due_arr_usd,
        kept_arr_usd,
        expansion_at_renewal_usd,
        p_lost_at_d90,
        coalesce(expected_arr_multiple_at_d90, 1) as multiple_at_d90,
        p_lost_now,
        p_renewed_now,
        coalesce(expected_arr_multiple_now, 1) as multiple_now,
        is_final,
        is_lost,
        is_renewed,
        coalesce(is_at_risk_now, was_at_risk_d90, false) as is_at_risk,
        was_at_risk_d90,
        is_surprise_loss
    from {{ ref('renewals') }}
),

plans as (
    select
        segment,
        valid_from,
        planned_churn_rate
    from {{ ref('churn_plans') }}
),

expected as (
    select
        due_month,
        segment,
        attention_band,
        account_id,
        outcome,
        surprise_basis,
        due_arr_usd,
        kept_arr_usd,
        expansion_at_renewal_usd,
        p_lost_at_d90,
        multiple_at_d90,
        multiple_now,
        is_lost,
        is_renewed,
        is_at_risk,
        was_at_risk_d90,
        is_surprise_loss,
        is_renewed or is_lost as is_decided,
        outcome in ('open', 'pending') as is_undecided,
        outcome in ('open', 'pending') and p_lost_now is null as is_unscored,
        p_renewed_now as p_renew
    from renewals
),

counted as (
    select
        due_month,
        segment,
        attention_band,
        -- Superseded before it came due, or paused on the day: nothing was decided and nothing is
        -- counted as due.
        count(case when is_decided or is_undecided then 1 end) as terms_due,
        count(distinct case when is_decided or is_undecided then account_id end) as accounts_due,
        count(case when is_renewed then 1 end) as terms_renewed,
        count(case when is_lost then 1 end) as terms_lost,
        count(case when is_undecided then 1 end) as terms_undecided,
        count(case when outcome = 'superseded' then 1 end) as terms_superseded,
        count(case when outcome = 'paused' then 1 end) as terms_paused,
        count(case when is_unscored then 1 end) as terms_unscored,
        sum(case when is_decided or is_undecided then due_arr_usd else 0 end) as due_arr_usd,
        sum(case when is_decided then due_arr_usd else 0 end) as decided_arr_usd,
        sum(case when is_renewed then kept_arr_usd else 0 end) as renewed_arr_usd,
        sum(case when is_renewed then expansion_at_renewal_usd else 0 end) as expansion_arr_usd,
        sum(case when is_lost then due_arr_usd else 0 end) as lost_arr_usd,
        count(case when is_surprise_loss and surprise_basis = 'live' then 1 end) as surprise_losses,
        count(case when is_surprise_loss and surprise_basis = 'walk_forward' then 1 end)
            as surprise_losses_walk_forward,
        count(case when is_surprise_loss and surprise_basis = 'none' then 1 end)
            as surprise_losses_unscored,
        count(case when is_lost and surprise_basis = 'live' then 1 end) as losses_with_live_score,
        count(distinct case when is_at_risk and (is_decided or is_undecided) then account_id end)
            as at_risk_accounts,
        sum(case when is_at_risk and (is_decided or is_undecided) then due_arr_usd else 0 end)
            as at_risk_arr_usd,
        count(case when was_at_risk_d90 and is_decided then 1 end) as flagged_terms,
        count(case when was_at_risk_d90 and is_lost then 1 end) as flagged_losses,
        count(case when was_at_risk_d90 is not null and is_decided then 1 end) as asked_terms,
        sum(case when is_undecided then {{ exact('p_renew * due_arr_usd', 6) }} end)
            as expected_arr_usd,
        sum(
            case
                when is_undecided
                    then {{ exact('p_renew * (1 - p_renew) * due_arr_usd * due_arr_usd', 6) }}
            end
        ) as variance,
        sum(
            case
                when is_decided and p_lost_at_d90 is not null
                    then {{ exact('(1 - p_lost_at_d90) * due_arr_usd', 6) }}
            end
        ) as forecast_at_d90_usd,
        sum(
            case
                when is_undecided
                    then {{ exact('p_renew * multiple_now * due_arr_usd', 6) }}
            end
        ) as expected_arr_after_usd,
        sum(
            case
                when is_decided and p_lost_at_d90 is not null
                    then {{ exact('(1 - p_lost_at_d90) * multiple_at_d90 * due_arr_usd', 6) }}
            end
        ) as forecast_after_at_d90_usd,
        sum(case when is_decided and p_lost_at_d90 is not null then coalesce(kept_arr_usd, 0) end)
            as outcome_of_forecast_usd,
        sum(
            case
                when is_decided and p_lost_at_d90 is not null
                    then coalesce(kept_arr_usd, 0) + coalesce(expansion_at_renewal_usd, 0)
            end
        ) as outcome_after_usd
    from expected
    group by due_month, segment, attention_band
),

planned as (
    select
        counted.due_month,
        counted.segment,
        counted.attention_band,
        plans.planned_churn_rate,
        row_number() over (
            partition by counted.due_month, counted.segment, counted.attention_band
            order by plans.valid_from desc
        ) as newest_rank
    from counted
    inner join plans
        on counted.segment = plans.segment and counted.due_month >= plans.valid_from
),

rated as (
    select
        due_month,
        segment,
        attention_band,
        terms_renewed * 1.0 / nullif(terms_renewed + terms_lost, 0) as logo_renewal_rate,
        cast(renewed_arr_usd as double)
        / nullif(cast(decided_arr_usd as double), 0) as money_renewal_rate
    from counted
)

select
    counted.due_month,
    counted.segment,
    counted.attention_band,
    counted.terms_due,
    counted.accounts_due,
    counted.terms_renewed,
    counted.terms_lost,
    counted.terms_undecided,
    counted.terms_superseded,
    counted.terms_paused,
    counted.terms_unscored,
    cast(counted.due_arr_usd as decimal(18, 2)) as due_arr_usd,
    cast(counted.decided_arr_usd as decimal(18, 2)) as decided_arr_usd,
    cast(counted.renewed_arr_usd as decimal(18, 2)) as renewed_arr_usd,
    cast(counted.expansion_arr_usd as decimal(18, 2)) as expansion_arr_usd,
    cast(counted.lost_arr_usd as decimal(18, 2)) as lost_arr_usd,
    {{ stable('rated.logo_renewal_rate') }} as logo_renewal_rate,
    {{ stable('rated.money_renewal_rate') }} as money_renewal_rate,
    {{ stable('(rated.logo_renewal_rate - rated_before.logo_renewal_rate) * 100') }}
        as logo_renewal_rate_yoy_pp,
    {{ stable('(rated.money_renewal_rate - rated_before.money_renewal_rate) * 100') }}
        as money_renewal_rate_yoy_pp,
    counted.surprise_losses,
    counted.surprise_losses_walk_forward,
    counted.surprise_losses_unscored,
    {{ share_of('counted.surprise_losses', 'counted.losses_with_live_score') }}
        as surprise_loss_rate,
    counted.at_risk_accounts,
    cast(counted.at_risk_arr_usd as decimal(18, 2)) as at_risk_arr_usd,
    {{ share_of('counted.flagged_terms', 'counted.asked_terms') }} as flagged_share,
    {{ share_of('counted.flagged_losses', 'counted.flagged_terms') }}
        as flags_precision_rate,
    -- Each renewal is worth at most what was due, so the sum is capped at the ARR due by itself.
    cast(
        case
            when counted.terms_undecided = 0 then counted.renewed_arr_usd
            else counted.renewed_arr_usd + counted.expected_arr_usd
        end as decimal(18, 2)
    ) as forecast_arr_usd,
    cast(
        case
            when counted.terms_undecided = 0 then 0 else sqrt(cast(counted.variance as double))
        end as decimal(18, 2)
    ) as forecast_sd_usd,
    -- What is paid afterwards, expansion included: that has no cap, and is no renewal rate.
    cast(
        counted.renewed_arr_usd + counted.expansion_arr_usd
        + case when counted.terms_undecided = 0 then 0 else counted.expected_arr_after_usd end
        as decimal(18, 2)
    ) as forecast_arr_after_usd,
    cast(counted.forecast_at_d90_usd as decimal(18, 2)) as forecast_at_d90_arr_usd,
    cast(counted.outcome_of_forecast_usd - counted.forecast_at_d90_usd as decimal(18, 2))
        as forecast_error_arr_usd,
    {{ stable(
        '(counted.outcome_of_forecast_usd - counted.forecast_at_d90_usd)'
        ~ ' / nullif(cast(counted.forecast_at_d90_usd as double), 0)'
    ) }} as forecast_error_rate,
    cast(counted.forecast_after_at_d90_usd as decimal(18, 2)) as forecast_after_at_d90_arr_usd,
    cast(counted.outcome_after_usd - counted.forecast_after_at_d90_usd as decimal(18, 2))
        as forecast_after_error_arr_usd,
    {{ stable('planned.planned_churn_rate') }} as planned_churn_rate,
    {{ share_of('counted.lost_arr_usd', 'counted.decided_arr_usd') }}
        as actual_churn_rate,
    coalesce(
        planned.planned_churn_rate >= 0.20
        and counted.lost_arr_usd <= planned.planned_churn_rate * nullif(counted.decided_arr_usd, 0),
        false
    ) as is_complacent
from counted
inner join rated
    on
        counted.due_month = rated.due_month
        and counted.segment = rated.segment
        and counted.attention_band = rated.attention_band
left join rated as rated_before
    on
        rated_before.due_month = {{ month_end(months_after('counted.due_month', -12)) }}
        and counted.segment = rated_before.segment
        and counted.attention_band = rated_before.attention_band
left join planned
    on
        counted.due_month = planned.due_month
        and counted.segment = planned.segment
        and counted.attention_band = planned.attention_band
        and planned.newest_rank = 1
