{% set leads = [180, 90, 60] %}
with

terms as (
    select
        contract_term_id,
        account_id,
        subscription_id,
        superseded_by_subscription_id,
        started_on,
        due_on,
        ended_on,
        notice_on,
        renewed_on,
        outcome_known_on,
        outcome,
        cycle_number,
        term_months,
        due_arr_usd,
        renewed_arr_usd,
        due_seats,
        renewed_seats,
        is_evergreen,
        is_final,
        is_involuntary
    from {{ ref('fct_contract_terms') }}
),

accounts as (
    select
        account_id,
        owner_id,
        segment,
        region,
        acquisition_origin
    from {{ ref('dim_accounts') }}
),

account_map as (
    select
        source_account_id,
        account_id
    from {{ ref('int_account_map') }}
),

owners as (
    select
        account_map.account_id,
        owners.employee_id,
        owners.owned_from,
        owners.owned_to
    from {{ ref('input_account_owners') }} as owners
    inner join account_map on owners.account_id = account_map.source_account_id
),

bands as (
    select
        account_id,
        month_end_on,
        attention_band
    from {{ ref('int_attention_bands') }}
),

looks as (
    select
        contract_term_id,
        {%- for lead in leads %}
            looked_on_d{{ lead }},
            p_lost_at_d{{ lead }},
            band_at_d{{ lead }},
            basis_at_d{{ lead }},
            human_sign_today_at_d{{ lead }},
        {%- endfor %}
        p_lost_now,
        arr_multiple_at_d90,
        arr_multiple_now,
        band_now,
        human_sign_today_now
    from {{ ref('int_renewal_scores') }}
),

touches as (
    select
        contract_term_id,
        renewal_opened_on,
        first_renewal_touch_days_before_due,
        touches_in_term,
        touches_in_mid_term,
        director_touches_in_term,
        longest_touch_gap_days,
        sales_touch_gap_days,
        silent_middle_days,
        silent_share_of_term
    from {{ ref('int_term_touches') }}
),

evidence as (
    select
        contract_term_id,
        earliest_signal_on,
        signals_present_at_d180,
        signals_present_at_d90,
        signals_present_at_d60,
        driver_stated,
        driver_evidenced,
        resell_cost_usd
    from {{ ref('int_renewal_evidence') }}
),

measurements as (
    select
        account_id,
        success_measure_id,
        measured_on,
        value_usd,
        attainment
    from {{ ref('fct_success_measurements') }}
),

plans as (
    select
        account_map.account_id,
        plans.action_plan_id
    from {{ ref('input_action_plans') }} as plans
    inner join account_map on plans.account_id = account_map.source_account_id
    where plans.plan_type = 'onboarding'
),

objectives as (
    select
        action_plan_id,
        due_on,
        done_on
    from {{ ref('input_action_plan_objectives') }}
),

-- Who looked after the account when the renewal could still be worked on.
owners_then as (
    select
        terms.contract_term_id,
        owners.employee_id,
        row_number() over (
            partition by terms.contract_term_id
            order by owners.owned_from desc, owners.employee_id asc
        ) as newest_rank
    from terms
    inner join owners
        on
            terms.account_id = owners.account_id
            and owners.owned_from <= least(terms.due_on, {{ as_of_date() }})
            and (
                owners.owned_to is null
                or owners.owned_to > least(terms.due_on, {{ as_of_date() }})
            )
),

bands_then as (
    select
        terms.contract_term_id,
        bands.attention_band,
        row_number() over (
            partition by terms.contract_term_id
            order by bands.month_end_on desc
        ) as newest_rank
    from terms
    inner join bands
        on
            terms.account_id = bands.account_id
            and bands.month_end_on >= terms.started_on
            -- A young contract had no band 90 days before its end; its first one stands in.
            and (
                bands.month_end_on <= {{ days_after('terms.due_on', -90) }}
                or bands.month_end_on <= {{ days_after('terms.started_on', 31) }}
            )
),

measured as (
    select
        terms.contract_term_id,
        max(
            case
                when {{ days_after('terms.due_on', -90) }} < measurements.measured_on then 1
                else 0
            end
        )
            as was_measured_within_90d,
        cast(sum(measurements.value_usd) as decimal(18, 2)) as value_realised_usd_in_term
    from terms
    inner join measurements
        on
            terms.account_id = measurements.account_id
            and terms.started_on <= measurements.measured_on
            and terms.due_on > measurements.measured_on
    group by terms.contract_term_id
),

newest_measurements as (
    select
        terms.contract_term_id,
        measurements.attainment,
        row_number() over (
            partition by terms.contract_term_id, measurements.success_measure_id
            order by measurements.measured_on desc
        ) as newest_rank
    from terms
    inner join measurements
        on
            terms.account_id = measurements.account_id
            and terms.due_on > measurements.measured_on
    where measurements.attainment is not null
),

attained as (
    select
        contract_term_id,
        avg({{ exact('attainment') }}) as attainment_at_due
    from newest_measurements
    where newest_rank = 1
    group by contract_term_id
),

-- Success measures are kept at all: then a renewal without one was not measured, which is not the
-- same as unknown.
measuring as (
    select min(measured_on) as recorded_from_on
    from measurements
),

onboarded as (
    select
        terms.contract_term_id,
        avg(case when objectives.done_on <= objectives.due_on then 1.0 else 0.0 end)
            as on_time_share
    from terms
    inner join plans on terms.account_id = plans.account_id
    inner join objectives
        on
            plans.action_plan_id = objectives.action_plan_id
            and terms.started_on <= objectives.due_on
            and terms.due_on > objectives.due_on
            and objectives.due_on <= {{ as_of_date() }}
    group by terms.contract_term_id
),

-- Where no score exists a renewal is expected as often as the segment has renewed in the year
-- behind us.
recent_rates as (
    select
        coalesce(accounts.segment, '(unknown)') as segment,
        sum(case when terms.outcome = 'lost' then 0.0 else 1.0 end) / count(*) as renewal_rate
    from terms
    left join accounts on terms.account_id = accounts.account_id
    where
        terms.outcome in (
            'lost', 'renewed_expanded', 'renewed_flat', 'renewed_contracted', 'renewed_late'
        )
        and terms.due_on <= {{ as_of_date() }}
        and terms.due_on > {{ months_after(as_of_date(), -12) }}
    group by coalesce(accounts.segment, '(unknown)')
),

judged as (
    select
        contract_term_id,
        {%- for lead in leads %}
            coalesce(band_at_d{{ lead }} = 'high', false)
            or coalesce(human_sign_today_at_d{{ lead }} < 0.5, false)
                as was_at_risk_d{{ lead }},
            band_at_d{{ lead }} is not null as was_scored_d{{ lead }},
            human_sign_today_at_d{{ lead }} is not null as was_judged_d{{ lead }},
        {%- endfor %}
        coalesce(band_now = 'high', false) or coalesce(human_sign_today_now < 0.5, false)
            as is_at_risk_now
    from looks
)

select
    terms.contract_term_id,
    terms.account_id,
    terms.subscription_id,
    terms.superseded_by_subscription_id,
    coalesce(owners_then.employee_id, accounts.owner_id) as owner_id,
    terms.started_on,
    terms.due_on,
    {{ month_end('terms.due_on') }} as due_month,
    terms.ended_on,
    case when terms.outcome = 'lost' then terms.notice_on end as loss_notice_on,
    terms.renewed_on,
    terms.outcome_known_on,
    touches.renewal_opened_on,
    evidence.earliest_signal_on,
    accounts.segment,
    accounts.region,
    accounts.acquisition_origin,
    bands_then.attention_band,
    terms.outcome,
    case
        when terms.outcome <> 'lost' or judged.was_at_risk_d90 then null
        when judged.was_scored_d90 and judged.was_judged_d90 then 'both_missed'
        when judged.was_scored_d90 then 'model_missed'
        when judged.was_judged_d90 then 'human_missed'
        else 'no_flag'
    end as surprise_type,
    coalesce(looks.basis_at_d90, 'none') as surprise_basis,
    evidence.driver_stated,
    case when terms.outcome = 'lost' then evidence.driver_evidenced end as driver_evidenced,
    terms.cycle_number,
    terms.term_months,
    terms.due_arr_usd,
    terms.renewed_arr_usd,
    -- What is paid above the amount due is expansion, not renewal.
    case
        when terms.renewed_arr_usd is not null
            then cast(least(terms.renewed_arr_usd, terms.due_arr_usd) as decimal(18, 2))
    end as kept_arr_usd,
    case
        when terms.renewed_arr_usd is not null
            then cast(greatest(terms.renewed_arr_usd - terms.due_arr_usd, 0) as decimal(18, 2))
    end as expansion_at_renewal_usd,
    evidence.resell_cost_usd,
    measured.value_realised_usd_in_term,
    {{ share_of(
        'measured.value_realised_usd_in_term', 'terms.due_arr_usd * terms.term_months / 12.0'
    ) }}
        as value_to_price_ratio,
    terms.due_seats,
    terms.renewed_seats - terms.due_seats as seats_delta,
    cast(
        case
            when terms.outcome = 'lost'
                then {{ dbt.datediff('terms.notice_on', 'terms.due_on', 'day') }}
        end as bigint
    ) as notice_days_before_due,
    {%- for lead in leads %}
        {{ stable('looks.p_lost_at_d' ~ lead) }} as p_lost_at_d{{ lead }},
    {%- endfor %}
    {{ stable('looks.p_lost_now') }} as p_lost_now,
    case
        when terms.outcome in ('open', 'pending')
            then {{ stable('coalesce(1 - looks.p_lost_now, recent_rates.renewal_rate)') }}
    end as p_renewed_now,
    {{ stable('looks.arr_multiple_at_d90') }} as expected_arr_multiple_at_d90,
    {{ stable('looks.arr_multiple_now') }} as expected_arr_multiple_now,
    {%- for lead in leads %}
        {{ stable('looks.human_sign_today_at_d' ~ lead) }} as human_sign_today_at_d{{ lead }},
    {%- endfor %}
    {%- for lead in leads %}
        evidence.signals_present_at_d{{ lead }},
    {%- endfor %}
    cast(
        {{ dbt.datediff('evidence.earliest_signal_on', 'terms.due_on', 'day') }}
        as bigint
    ) as missed_signal_days,
    touches.first_renewal_touch_days_before_due,
    touches.touches_in_term,
    touches.touches_in_mid_term,
    touches.director_touches_in_term,
    touches.longest_touch_gap_days,
    touches.sales_touch_gap_days,
    touches.silent_middle_days,
    touches.silent_share_of_term,
    {{ stable('attained.attainment_at_due') }} as attainment_at_due,
    {{ stable('onboarded.on_time_share') }} as onboarding_on_time_share,
    terms.is_evergreen,
    terms.is_final,
    terms.is_involuntary,
    terms.outcome = 'lost' as is_lost,
    terms.outcome in ('renewed_expanded', 'renewed_flat', 'renewed_contracted', 'renewed_late')
        as is_renewed,
    -- The question can only be asked once the day to look at has come.
    {%- for lead in leads %}
        case
            when looks.looked_on_d{{ lead }} <= {{ as_of_date() }}
                then judged.was_at_risk_d{{ lead }}
        end as was_at_risk_d{{ lead }},
    {%- endfor %}
    case when terms.outcome in ('open', 'pending') then judged.is_at_risk_now end as is_at_risk_now,
    {%- for lead in leads %}
        {% set name = 'is_surprise_loss' if lead == 90 else 'is_surprise_loss_d' ~ lead -%}
        case when terms.outcome = 'lost' then not judged.was_at_risk_d{{ lead }} end as {{ name }},
    {%- endfor %}
    case
        when terms.due_on >= measuring.recorded_from_on and terms.due_on <= {{ as_of_date() }}
            then coalesce(measured.was_measured_within_90d = 1, false)
    end as was_measured_within_90d
from terms
inner join looks on terms.contract_term_id = looks.contract_term_id
inner join judged on terms.contract_term_id = judged.contract_term_id
inner join evidence on terms.contract_term_id = evidence.contract_term_id
cross join measuring
left join accounts on terms.account_id = accounts.account_id
left join recent_rates on coalesce(accounts.segment, '(unknown)') = recent_rates.segment
left join touches on terms.contract_term_id = touches.contract_term_id
left join owners_then
    on terms.contract_term_id = owners_then.contract_term_id and owners_then.newest_rank = 1
left join bands_then
    on terms.contract_term_id = bands_then.contract_term_id and bands_then.newest_rank = 1
left join measured on terms.contract_term_id = measured.contract_term_id
left join attained on terms.contract_term_id = attained.contract_term_id
left join onboarded on terms.contract_term_id = onboarded.contract_term_id
