{# Each feature once: group, name and the expression over the imports below. Unknown stays null. #}
{% set features = [
    ('usage', 'active_users_log', 'ln(1 + usage.active_users_28d)'),
    (
        'usage', 'active_users_trend_6m',
        relative_change('usage.active_users_28d', 'usage.active_users_before')
    ),
    (
        'usage', 'active_users_trend_3m',
        relative_change('usage.active_users_28d', 'usage.active_users_3m_ago')
    ),
    ('usage', 'events_trend_6m', relative_change('usage.events_28d', 'usage.events_before')),
    (
        'usage', 'events_per_user_log',
        'case when usage.active_users_28d > 0'
        ~ ' then ln(1 + usage.events_28d / cast(usage.active_users_28d as double)) end'
    ),
    ('usage', 'active_days_28d', 'usage.active_days_28d'),
    ('usage', 'days_since_use', days_since('contracts.observed_on', 'usage.last_usage_on')),
    ('usage', 'is_silent_28d', as_flag('usage.events_28d = 0')),
    ('adoption', 'utilisation_rate', 'usage.utilisation_rate'),
    (
        'adoption', 'utilisation_trend_6m',
        relative_change('usage.utilisation_rate', 'usage.utilisation_before')
    ),
    ('adoption', 'feature_adoption_rate', 'usage.feature_adoption_rate'),
    (
        'adoption', 'breadth_trend_6m',
        relative_change('usage.features_used_90d', 'usage.features_before')
    ),
    ('adoption', 'strategic_features', 'usage.strategic_features_adopted'),
    ('adoption', 'power_user_share', 'usage.power_user_share'),
    (
        'adoption', 'regular_user_share',
        'case when usage.licences > 0 then usage.regular_users / cast(usage.licences as double) end'
    ),
    ('support', 'cases_90d', 'cases.cases_opened_90d'),
    (
        'support', 'cases_per_100_seats_12m',
        'case when contracts.seats > 0 then 100.0 * cases.cases_opened_12m / contracts.seats end'
    ),
    ('support', 'urgent_cases_90d', 'cases.urgent_cases_90d'),
    ('support', 'bugs_confirmed_12m', 'cases.bugs_confirmed_12m'),
    ('support', 'cases_open', 'cases.cases_open'),
    ('support', 'feature_requests_12m', 'cases.feature_requests_12m'),
    ('support', 'response_hours_90d', 'cases.response_hours_90d'),
    ('support', 'resolution_hours_90d', 'cases.resolution_hours_90d'),
    ('support', 'handoffs_90d', 'cases.handoffs_per_case_90d'),
    ('support', 'case_csat_12m', 'cases.case_csat_12m'),
    ('billing', 'failed_payments_90d', 'billing.payments_failed_90d'),
    ('billing', 'failed_payments_12m', 'billing.payments_failed_12m'),
    ('billing', 'days_overdue', 'billing.days_overdue'),
    ('billing', 'late_invoice_share_12m', 'billing.late_invoice_share_12m'),
    ('billing', 'credit_notes_12m', 'billing.credit_notes_12m'),
    ('billing', 'is_past_due', as_flag('contracts.is_past_due')),
    ('relationship', 'two_way_touches_90d', 'touches.two_way_touches_90d'),
    (
        'relationship', 'two_way_trend_12m',
        relative_change('4.0 * touches.two_way_touches_90d', 'touches.two_way_touches_12m')
    ),
    ('relationship', 'days_since_two_way', at_most_two_years('touches.days_since_two_way_touch')),
    ('relationship', 'visits_12m', 'touches.visits_12m'),
    ('relationship', 'trainings_12m', 'touches.trainings_12m'),
    ('relationship', 'contacts_end_user', 'people.contacts_end_user'),
    ('relationship', 'contacts_manager', 'people.contacts_manager'),
    ('relationship', 'contacts_related', 'people.related_contacts'),
    ('relationship', 'contacts_departed_12m', 'people.contacts_departed_12m'),
    ('relationship', 'people_in_touch_180d', 'people.people_in_touch_180d'),
    ('relationship', 'level_diversity', 'people.level_diversity'),
    ('relationship', 'is_single_threaded', as_flag('people.is_single_threaded')),
    ('executive', 'days_since_director', at_most_two_years('touches.days_since_director_touch')),
    ('executive', 'director_touches_12m', 'touches.director_touches_12m'),
    ('executive', 'contacts_director_plus', 'people.contacts_director_plus'),
    ('executive', 'directors_departed_12m', 'people.directors_departed_12m'),
    ('executive', 'directors_joined_12m', 'people.directors_joined_12m'),
    ('executive', 'known_by_sales_only', 'people.directors_known_by_sales_only'),
    ('executive', 'has_sponsor', as_flag('people.has_sponsor')),
    ('executive', 'user_gap', 'surveys.exec_user_gap'),
    ('champion', 'has_champion', as_flag('people.has_champion')),
    ('champion', 'is_champion_or_sponsor_gone', as_flag('people.is_champion_or_sponsor_gone')),
    (
        'champion', 'days_since_left',
        days_since('contracts.observed_on', 'people.last_champion_left_on')
    ),
    ('value', 'reports_12m', 'touches.value_reports_12m'),
    ('value', 'acknowledged_by_exec_12m', 'touches.exec_acknowledged_reports_12m'),
    ('value', 'measures_defined', 'success.measures_defined'),
    ('value', 'attainment', 'success.attainment'),
    (
        'value', 'days_since_measured',
        days_since('contracts.observed_on', 'success.last_measured_on')
    ),
    ('value', 'is_primary_need_met', as_flag('success.is_primary_need_met')),
    ('value', 'primary_need_level', 'success.primary_need_level'),
    ('value', 'need_breaches_12m', 'success.primary_need_breaches_12m'),
    ('value', 'awareness', 'surveys.value_awareness'),
    ('contract', 'renewals_made', 'contracts.cycle_number - 1'),
    ('contract', 'term_months', 'contracts.term_months'),
    ('contract', 'is_evergreen', as_flag('contracts.is_evergreen')),
    ('contract', 'tenure_months', 'contracts.tenure_days / 30.4375'),
    ('contract', 'arr_log', 'ln(1 + cast(contracts.arr_usd as double))'),
    ('contract', 'segment_arr_ratio', 'bands.segment_arr_ratio'),
    ('contract', 'seats_log', 'ln(1 + contracts.seats)'),
    ('contract', 'plans', 'contracts.plans'),
    ('contract', 'discount_rate', 'contracts.discount_rate'),
    ('contract', 'seats_change_12m', 'contracts.seats_change_12m_rate'),
    ('contract', 'price_change_12m', 'contracts.price_change_12m_rate'),
    ('contract', 'is_paused', as_flag('contracts.is_paused')),
    ('voice', 'nps_12m', 'surveys.nps_12m'),
    ('voice', 'responses_12m', 'surveys.responses_12m'),
    (
        'voice', 'days_since_response',
        days_since('contracts.observed_on', 'surveys.last_response_on')
    ),
    ('voice', 'user_sentiment_12m', 'surveys.user_sentiment_12m'),
    ('voice', 'human_sign_today', 'success.human_sign_today_share'),
    (
        'voice', 'days_since_assessed',
        days_since('contracts.observed_on', 'success.last_assessed_on')
    ),
    ('competitor', 'signals_12m', 'signals.competitor_signals_12m'),
    ('competitor', 'trigger_events_12m', 'signals.trigger_events_12m'),
    ('plan', 'success_plans_open', 'signals.success_plans_open'),
    ('origin', 'is_alumni_led', as_flag("origins.acquisition_origin = 'alumni_led'")),
    ('origin', 'is_won_from_rival', as_flag("origins.acquisition_origin = 'rip_and_replace'")),
    ('origin', 'is_won_at_second_try', as_flag("origins.acquisition_origin = 'lost_deal'")),
    ('origin', 'is_won_again', as_flag("origins.acquisition_origin = 'boomerang'")),
] %}
{% set baselines = [
    ('active_users_28d', 'active_users_before'), ('events_28d', 'events_before'),
    ('utilisation_rate', 'utilisation_before'), ('features_used_90d', 'features_before'),
] %}
{% set imports = [
    ('int_touch_account_months', 'touches'), ('int_case_account_months', 'cases'),
    ('int_people_account_months', 'people'), ('int_survey_account_months', 'surveys'),
    ('int_success_account_months', 'success'), ('int_billing_account_months', 'billing'),
    ('int_signal_account_months', 'signals'), ('int_origin_account_months', 'origins'),
] %}
with

-- The account's own trailing half year, without the month itself; three months make a baseline.
usage as (
    select
        account_id,
        observed_on,
        last_usage_on,
        active_users_28d,
        events_28d,
        active_days_28d,
        features_used_90d,
        strategic_features_adopted,
        regular_users,
        licences,
        utilisation_rate,
        feature_adoption_rate,
        power_user_share,
        {% for measure, baseline in baselines -%}
            case
                when count({{ measure }}) over half_year_before >= 3
                    then avg(cast({{ measure }} as double)) over half_year_before
            end as {{ baseline }},
        {% endfor -%}
        lag(active_users_28d, 3) over account_months as active_users_3m_ago
    from {{ ref('int_usage_account_months') }}
    window
        account_months as (partition by account_id order by month_end_on),
        half_year_before as (
            partition by account_id
            order by month_end_on
            rows between 6 preceding and 1 preceding
        )
),

accounts as (
    select
        account_id,
        segment
    from {{ ref('dim_accounts') }}
),

-- Bands among the accounts of the same day: what a customer weighed then, not what it weighs now.
ranked as (
    select
        contracts.account_id,
        contracts.observed_on,
        accounts.segment,
        (
            row_number() over (
                partition by contracts.observed_on
                order by contracts.arr_usd desc, contracts.account_id asc
            ) - 1.0
        )
        / count(*) over (partition by contracts.observed_on) as rank_share,
        -- What a customer of this segment pays tells segments apart without naming them; beside
        -- all customers of the day, so that prices may rise.
        (
            cast(sum(contracts.arr_usd) over segment_days as double)
            / count(contracts.arr_usd) over segment_days
        )
        / nullif(
            cast(sum(contracts.arr_usd) over days as double) / count(contracts.arr_usd) over days,
            0
        ) as segment_arr_ratio
    from {{ ref('int_contract_account_months') }} as contracts
    left join accounts on contracts.account_id = accounts.account_id
    window
        days as (partition by contracts.observed_on),
        segment_days as (partition by contracts.observed_on, accounts.segment)
),

bands as (
    select
        ranked.account_id,
        ranked.observed_on,
        ranked.segment,
        ranked.segment_arr_ratio,
        thresholds.band
    from ranked
    inner join {{ ref('attention_band_thresholds') }} as thresholds
        on
            ranked.rank_share >= thresholds.rank_share_from
            and ranked.rank_share < thresholds.rank_share_to
)

select
    contracts.account_id,
    contracts.contract_term_id,
    contracts.observed_on,
    contracts.next_due_on,
    contracts.next_due_on as label_due_on,
    contracts.label_known_on,
    contracts.label_notice_on,
    bands.segment,
    bands.band as attention_band,
    contracts.cycle_number,
    {{ stable(
        dbt.datediff('contracts.observed_on', 'contracts.next_due_on', 'day') ~ ' / 30.4375', 6
    ) }} as months_to_renewal,
    {{ stable('contracts.tenure_days / 30.4375', 6) }} as tenure_months,
    cast(contracts.arr_usd as double) as arr_usd,
    {% for group, name, expression in features -%}
        {{ stable(expression, 6) }} as f_{{ group }}__{{ name }},
    {% endfor -%}
    contracts.label_is_lost,
    contracts.label_arr_multiple,
    true as is_open
from {{ ref('int_contract_account_months') }} as contracts
inner join bands
    on contracts.account_id = bands.account_id and contracts.observed_on = bands.observed_on
left join usage
    on contracts.account_id = usage.account_id and contracts.observed_on = usage.observed_on
{% for model, name in imports -%}
    left join {{ ref(model) }} as {{ name }}
        on
            contracts.account_id = {{ name }}.account_id
            and contracts.observed_on = {{ name }}.observed_on
{% endfor %}
