with

money as (
    select
        account_id,
        month_end_on,
        month_number,
        opening_mrr_usd,
        {%- for movement in movement_types() %}
            {{ movement }}_usd,
        {%- endfor %}
        closing_mrr_usd,
        paused_mrr_usd,
        seats,
        subscriptions,
        is_past_due
    from {{ ref('int_account_month_money') }}
),

accounts as (
    select
        account_id,
        segment,
        region,
        acquisition_origin
    from {{ ref('dim_accounts') }}
),

usage as (
    select
        account_id,
        observed_on,
        active_users_28d,
        licences,
        events,
        features_used_90d
    from {{ ref('int_usage_account_months') }}
),

touches as (
    select
        account_id,
        observed_on,
        touches,
        two_way_touches,
        director_touches,
        visits,
        value_reports,
        last_director_touch_on
    from {{ ref('int_touch_account_months') }}
),

cases as (
    select
        account_id,
        observed_on,
        cases_opened,
        cases_open
    from {{ ref('int_case_account_months') }}
),

people as (
    select
        account_id,
        observed_on,
        contacts,
        contacts_end_user,
        contacts_manager,
        contacts_director_plus,
        is_champion_or_sponsor_gone,
        is_single_threaded
    from {{ ref('int_people_account_months') }}
),

cohorts as (
    select
        account_id,
        min(month_end_on) as cohort_month,
        min(month_number) as cohort_month_number
    from money
    where closing_mrr_usd > 0
    group by account_id
)

select
    money.account_id,
    money.month_end_on,
    cohorts.cohort_month,
    touches.last_director_touch_on,
    accounts.segment,
    accounts.region,
    accounts.acquisition_origin,
    money.opening_mrr_usd,
    {%- for movement in movement_types() %}
        money.{{ movement }}_usd,
    {%- endfor %}
    money.closing_mrr_usd,
    cast(12 * money.closing_mrr_usd as decimal(18, 2)) as closing_arr_usd,
    money.paused_mrr_usd,
    money.seats,
    money.subscriptions,
    -- Counted from the first month-end paid, so that the first is month 0; null before anything was
    -- paid.
    cast(
        case
            when money.month_number >= cohorts.cohort_month_number
                then money.month_number - cohorts.cohort_month_number
        end as bigint
    ) as tenure_months,
    usage.active_users_28d,
    usage.licences,
    usage.events,
    usage.features_used_90d,
    touches.touches,
    touches.two_way_touches,
    touches.director_touches,
    touches.visits,
    touches.value_reports,
    cases.cases_opened,
    cases.cases_open,
    people.contacts,
    people.contacts_end_user,
    people.contacts_manager,
    people.contacts_director_plus,
    money.subscriptions > 0 as is_active,
    money.closing_mrr_usd > 0 as is_paying,
    money.closing_mrr_usd = 0 and money.paused_mrr_usd > 0 as is_paused,
    -- In force without money: a trial or a free ramp. Neither churned nor in the base of any rate.
    money.subscriptions > 0 and money.closing_mrr_usd = 0 and money.paused_mrr_usd = 0 as is_free,
    money.is_past_due,
    people.is_champion_or_sponsor_gone,
    people.is_single_threaded
from money
left join accounts on money.account_id = accounts.account_id
left join cohorts on money.account_id = cohorts.account_id
left join usage
    on
        money.account_id = usage.account_id
        and money.month_end_on = usage.observed_on
left join touches
    on
        money.account_id = touches.account_id
        and money.month_end_on = touches.observed_on
left join cases
    on
        money.account_id = cases.account_id
        and money.month_end_on = cases.observed_on
left join people
    on
        money.account_id = people.account_id
        and money.month_end_on = people.observed_on
