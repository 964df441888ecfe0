with

item_months as (
    select
        subscription_id,
        account_id,
        month_end_on,
        status,
        quantity,
        mrr_usd,
        paused_mrr_usd
    from {{ ref('int_subscription_item_months') }}
),

states as (
    select
        account_id,
        valid_from
    from {{ ref('int_subscription_item_states') }}
    where account_id is not null
),

months as (
    select
        month_number,
        month_end_on
    from {{ ref('int_month_ends') }}
),

accounts as (
    select
        account_id,
        segment,
        region,
        acquisition_origin
    from {{ ref('dim_accounts') }}
),

movements as (
    select
        surviving_account_id as account_id,
        {% for movement in movement_types() -%}
            sum(case when movement_type = '{{ movement }}' then amount_usd else 0 end)
                as {{ movement }}_usd,
        {% endfor -%}
        month as month_end_on
    from {{ ref('fct_mrr_movements') }}
    group by surviving_account_id, month
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

first_contracts as (
    select
        account_id,
        {{ utc_date('min(valid_from)') }} as first_contract_on
    from states
    group by account_id
),

closings as (
    select
        account_id,
        month_end_on,
        sum(mrr_usd) as mrr_usd,
        sum(paused_mrr_usd) as paused_mrr_usd,
        sum(case when mrr_usd > 0 then quantity else 0 end) as seats,
        count(distinct subscription_id) as subscriptions,
        max(case when status = 'past_due' then 1 else 0 end) as is_past_due
    from item_months
    group by account_id, month_end_on
),

-- From the first contract on and for good: a customer lost stays in the spine with nothing paid, so
-- that every return has an opening and every rate its base.
spine as (
    select
        first_contracts.account_id,
        first_contracts.first_contract_on,
        months.month_number,
        months.month_end_on
    from first_contracts
    inner join months on first_contracts.first_contract_on <= months.month_end_on
),

filled as (
    select
        spine.account_id,
        spine.first_contract_on,
        spine.month_number,
        spine.month_end_on,
        cast(coalesce(closings.mrr_usd, 0) as decimal(18, 2)) as closing_mrr_usd,
        cast(coalesce(closings.paused_mrr_usd, 0) as decimal(18, 2)) as paused_mrr_usd,
        coalesce(closings.seats, 0) as seats,
        coalesce(closings.subscriptions, 0) as subscriptions,
        coalesce(closings.is_past_due = 1, false) as is_past_due
    from spine
    left join closings
        on
            spine.account_id = closings.account_id
            and spine.month_end_on = closings.month_end_on
),

dated as (
    select
        account_id,
        month_end_on,
        month_number,
        closing_mrr_usd,
        paused_mrr_usd,
        seats,
        subscriptions,
        is_past_due,
        coalesce(
            lag(closing_mrr_usd) over (partition by account_id order by month_end_on), 0
        ) as opening_mrr_usd,
        min(case when closing_mrr_usd > 0 then month_end_on end) over (partition by account_id)
            as cohort_month,
        min(case when closing_mrr_usd > 0 then month_number end) over (partition by account_id)
            as cohort_month_number
    from filled
)

select
    dated.account_id,
    dated.month_end_on,
    dated.cohort_month,
    touches.last_director_touch_on,
    accounts.segment,
    accounts.region,
    accounts.acquisition_origin,
    cast(dated.opening_mrr_usd as decimal(18, 2)) as opening_mrr_usd,
    {%- for movement in movement_types() %}
        cast(coalesce(movements.{{ movement }}_usd, 0) as decimal(18, 2)) as {{ movement }}_usd,
    {%- endfor %}
    dated.closing_mrr_usd,
    cast(12 * dated.closing_mrr_usd as decimal(18, 2)) as closing_arr_usd,
    dated.paused_mrr_usd,
    cast(dated.seats as bigint) as seats,
    cast(dated.subscriptions as bigint) as subscriptions,
    -- Counted from the first month-end paid, so that the first is month 0; null before anything was
    -- paid.
    cast(
        case
            when dated.month_number >= dated.cohort_month_number
                then dated.month_number - dated.cohort_month_number
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
    dated.subscriptions > 0 as is_active,
    dated.closing_mrr_usd > 0 as is_paying,
    dated.closing_mrr_usd = 0 and dated.paused_mrr_usd > 0 as is_paused,
    -- In force without money: a trial or a free ramp. Neither churned nor in the base of any rate.
    dated.subscriptions > 0 and dated.closing_mrr_usd = 0 and dated.paused_mrr_usd = 0 as is_free,
    dated.is_past_due,
    people.is_champion_or_sponsor_gone,
    people.is_single_threaded
from dated
left join accounts on dated.account_id = accounts.account_id
left join movements
    on
        dated.account_id = movements.account_id
        and dated.month_end_on = movements.month_end_on
left join usage
    on
        dated.account_id = usage.account_id
        and dated.month_end_on = usage.observed_on
left join touches
    on
        dated.account_id = touches.account_id
        and dated.month_end_on = touches.observed_on
left join cases
    on
        dated.account_id = cases.account_id
        and dated.month_end_on = cases.observed_on
left join people
    on
        dated.account_id = people.account_id
        and dated.month_end_on = people.observed_on
