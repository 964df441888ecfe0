{# Warning signs that a person could have seen at a month-end; null where nobody could know. #}
{% set signals = [
    'is_sponsor_gone', 'is_executive_silent', 'is_primary_need_breached', 'is_value_unproven',
    'has_competitor_signal', 'has_payment_trouble', 'is_usage_falling', 'is_support_strained',
    'has_detractor'
] %}
with

months as (
    select
        account_id,
        month_end_on
    from {{ ref('fct_account_months') }}
    where is_active
),

people as (
    select
        account_id,
        observed_on,
        is_champion_or_sponsor_gone
    from {{ ref('int_people_account_months') }}
),

touches as (
    select
        account_id,
        observed_on,
        two_way_director_touches_12m,
        days_since_two_way_director_touch
    from {{ ref('int_touch_account_months') }}
),

success as (
    select
        account_id,
        observed_on,
        measures_defined,
        last_measured_on,
        attainment,
        is_primary_need_met
    from {{ ref('int_success_account_months') }}
),

billing as (
    select
        account_id,
        observed_on,
        payments_failed_90d,
        days_overdue
    from {{ ref('int_billing_account_months') }}
),

signals as (
    select
        account_id,
        observed_on,
        competitor_signals_12m
    from {{ ref('int_signal_account_months') }}
),

usage as (
    select
        account_id,
        observed_on,
        active_users_change_rate
    from {{ ref('int_usage_account_months') }}
),

cases as (
    select
        account_id,
        observed_on,
        urgent_cases_90d,
        case_csat_90d
    from {{ ref('int_case_account_months') }}
),

surveys as (
    select
        account_id,
        observed_on,
        nps_last_score
    from {{ ref('int_survey_account_months') }}
),

seen as (
    select
        months.account_id,
        months.month_end_on,
        people.is_champion_or_sponsor_gone as is_sponsor_gone,
        -- Never a word with a director is silence too, where touches and levels are recorded.
        case
            when touches.two_way_director_touches_12m is not null
                then coalesce(touches.days_since_two_way_director_touch, 9999) >= 180
        end as is_executive_silent,
        not success.is_primary_need_met as is_primary_need_breached,
        case
            when success.measures_defined is not null
                then success.measures_defined = 0
                    or success.last_measured_on is null
                    or success.attainment < 1
        end as is_value_unproven,
        signals.competitor_signals_12m > 0 as has_competitor_signal,
        billing.payments_failed_90d > 0
        or coalesce(billing.days_overdue, 0) > 30 as has_payment_trouble,
        usage.active_users_change_rate <= -0.3 as is_usage_falling,
        cases.urgent_cases_90d >= 3 as is_support_strained,
        surveys.nps_last_score <= 6 as has_detractor
    from months
    left join people
        on months.account_id = people.account_id and months.month_end_on = people.observed_on
    left join touches
        on months.account_id = touches.account_id and months.month_end_on = touches.observed_on
    left join success
        on months.account_id = success.account_id and months.month_end_on = success.observed_on
    left join billing
        on months.account_id = billing.account_id and months.month_end_on = billing.observed_on
    left join signals
        on months.account_id = signals.account_id and months.month_end_on = signals.observed_on
    left join usage
        on months.account_id = usage.account_id and months.month_end_on = usage.observed_on
    left join cases
        on months.account_id = cases.account_id and months.month_end_on = cases.observed_on
    left join surveys
        on months.account_id = surveys.account_id and months.month_end_on = surveys.observed_on
)

select
    account_id,
    month_end_on,
    {%- for signal in signals %}
        {{ signal }},
    {%- endfor %}
    {% for signal in signals -%}
        case when {{ signal }} then 1 else 0 end{{ ' + ' if not loop.last }}
    {%- endfor %} as signals_present,
    {% for signal in signals -%}
        case when {{ signal }} is null then 0 else 1 end{{ ' + ' if not loop.last }}
    {%- endfor %} as signals_known
from seen
