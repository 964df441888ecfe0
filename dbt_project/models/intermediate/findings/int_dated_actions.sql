with

accounts as (
    select
        source_account_id,
        account_id
    from {{ ref('int_account_map') }}
    where not is_test
),

touches as (
    select
        activity_id,
        account_id,
        event_on,
        visible_on,
        acknowledged_on,
        activity_type,
        is_two_way,
        has_director_plus
    from {{ ref('int_touches') }}
    where account_id is not null
),

-- One row for what a touch was: it may be several things at once.
touched as (
    select
        account_id,
        'two_way_touch' as action,
        event_on as happened_on,
        visible_on
    from touches
    where is_two_way
    union all
    select
        account_id,
        'executive_meeting' as action,
        event_on as happened_on,
        visible_on
    from touches
    where
        has_director_plus
        and is_two_way
        and activity_type in ('meeting', 'call', 'visit', 'qbr')
    union all
    select
        account_id,
        case
            when activity_type = 'visit' then 'site_visit'
            when activity_type = 'qbr' then 'business_review'
            when activity_type = 'training' then 'training'
            when activity_type = 'value_report' then 'value_report_sent'
            else 'social_touch'
        end as action,
        event_on as happened_on,
        visible_on
    from touches
    where activity_type in ('visit', 'qbr', 'training', 'value_report', 'social', 'conference')
    union all
    select
        account_id,
        'value_report_acknowledged' as action,
        acknowledged_on as happened_on,
        greatest(acknowledged_on, visible_on) as visible_on
    from touches
    where activity_type = 'value_report' and acknowledged_on is not null and has_director_plus
),

-- The first time that a person of this account took part in anything two-way.
first_talks as (
    select
        touches.account_id,
        people.person_id,
        touches.event_on as happened_on,
        touches.visible_on,
        row_number() over (
            partition by touches.account_id, people.person_id
            order by touches.event_on, touches.activity_id
        ) as talk_rank
    from touches
    inner join {{ ref('int_touch_people') }} as people
        on touches.activity_id = people.activity_id
    where touches.is_two_way
),

planned as (
    select
        accounts.account_id,
        plans.opened_on as happened_on,
        {{ visible_on('plans.opened_on', 'plans.known_at') }} as visible_on
    from {{ ref('input_action_plans') }} as plans
    inner join accounts on plans.account_id = accounts.source_account_id
    -- Plans to save an account are opened because it is already leaving.
    where plans.plan_type = 'success'
),

surveyed as (
    select
        account_id,
        responded_on as happened_on,
        {{ visible_on('responded_on', 'known_at') }} as visible_on,
        survey_type,
        score_share,
        is_promoter,
        is_detractor
    from {{ ref('fct_survey_responses') }}
    where account_id is not null
),

answered as (
    select
        account_id,
        'survey_answered' as action,
        happened_on,
        visible_on
    from surveyed
    union all
    select
        account_id,
        case
            when is_promoter then 'promoter_answer'
            when is_detractor then 'detractor_answer'
            else 'satisfied_answer'
        end as action,
        happened_on,
        visible_on
    from surveyed
    where is_promoter or is_detractor or (survey_type = 'csat' and score_share >= 0.75)
),

-- A ticket is known when it is opened, whatever is written on it later.
tickets as (
    select
        account_id,
        opened_on as happened_on,
        case_type,
        priority
    from {{ ref('fct_tickets') }}
    where account_id is not null
),

asked as (
    select
        account_id,
        'support_ticket' as action,
        happened_on
    from tickets
    union all
    select
        account_id,
        'support_escalation' as action,
        happened_on
    from tickets
    where priority in ('high', 'critical')
    union all
    select
        account_id,
        'feature_request' as action,
        happened_on
    from tickets
    where case_type = 'feature_request'
),

missed as (
    select
        accounts.account_id,
        levels.measured_on as happened_on,
        {{ visible_on('levels.measured_on', 'levels.known_at') }} as visible_on
    from {{ ref('input_service_levels') }} as levels
    inner join accounts on levels.account_id = accounts.source_account_id
    where levels.kpi_value < levels.contracted_level
),

term_starts as (
    select
        subscription_id,
        started_on
    from {{ ref('fct_contract_terms') }}
),

item_states as (
    select
        account_id,
        subscription_id,
        cast(valid_from as date) as happened_on,
        quantity,
        mrr_usd,
        lag(quantity) over items as quantity_before,
        lag(mrr_usd) over items as mrr_before_usd
    from {{ ref('int_subscription_item_states') }}
    window items as (partition by subscription_item_id order by valid_from)
),

-- Seats of what is paid for before and after; a new product or contract is another matter, and what
-- changes on the day on which a term begins is the renewal itself.
resized as (
    select
        item_states.account_id,
        case
            when item_states.quantity > item_states.quantity_before then 'seats_added'
            else 'seats_removed'
        end as action,
        item_states.happened_on
    from item_states
    left join term_starts
        on
            item_states.subscription_id = term_starts.subscription_id
            and item_states.happened_on = term_starts.started_on
    where
        item_states.account_id is not null
        and item_states.quantity <> item_states.quantity_before
        and item_states.mrr_usd > 0
        and item_states.mrr_before_usd > 0
        and term_starts.subscription_id is null
),

failed as (
    select
        customers.account_id,
        cast(payments.paid_at as date) as happened_on
    from {{ ref('input_payments') }} as payments
    inner join {{ ref('int_billing_customer_map') }} as customers
        on payments.billing_customer_id = customers.billing_customer_id
    inner join accounts on customers.account_id = accounts.source_account_id
    where payments.status = 'failed'
),

used as (
    select
        account_id,
        observed_on as happened_on,
        events_28d,
        lag(events_28d) over (partition by account_id order by observed_on) as events_before
    from {{ ref('int_usage_account_months') }}
    where month_end_on <= {{ as_of_date() }}
),

dated as (
    select
        account_id,
        action,
        happened_on,
        visible_on
    from touched
    union all
    select
        account_id,
        'new_relationship' as action,
        happened_on,
        visible_on
    from first_talks
    where talk_rank = 1
    union all
    select
        account_id,
        'success_plan' as action,
        happened_on,
        visible_on
    from planned
    union all
    select
        account_id,
        'success_measured' as action,
        measured_on as happened_on,
        visible_on
    from {{ ref('int_success_measurements') }}
    where account_id is not null
    union all
    select
        account_id,
        'programme_enrolment' as action,
        enrolled_on as happened_on,
        {{ visible_on('enrolled_on', 'known_at') }} as visible_on
    from {{ ref('fct_program_enrolments') }}
    where arm = 'treated'
    union all
    select
        account_id,
        action,
        happened_on,
        visible_on
    from answered
    union all
    select
        account_id,
        'advocacy_act' as action,
        occurred_on as happened_on,
        {{ visible_on('occurred_on', 'known_at') }} as visible_on
    from {{ ref('fct_advocacy') }}
    where account_id is not null
    union all
    select
        account_id,
        'competitor_contact' as action,
        occurred_on as happened_on,
        {{ visible_on('occurred_on', 'known_at') }} as visible_on
    from {{ ref('fct_social_signals') }}
    where account_id is not null and competitor_id is not null
    union all
    select
        account_id,
        action,
        happened_on,
        happened_on as visible_on
    from asked
    union all
    select
        account_id,
        'service_level_missed' as action,
        happened_on,
        visible_on
    from missed
    union all
    select
        from_account_id as account_id,
        'champion_left' as action,
        changed_on as happened_on,
        greatest(changed_on, known_on) as visible_on
    from {{ ref('fct_job_changes') }}
    where is_departure and (was_champion or was_sponsor)
    union all
    select
        account_id,
        action,
        happened_on,
        happened_on as visible_on
    from resized
    union all
    select
        account_id,
        'payment_failed' as action,
        happened_on,
        happened_on as visible_on
    from failed
    union all
    -- The month-end at which the silence began; the months that it goes on are the same silence.
    select
        account_id,
        'fell_silent' as action,
        happened_on,
        happened_on as visible_on
    from used
    where events_28d = 0 and events_before > 0
)

select
    account_id,
    action,
    happened_on,
    min(visible_on) as visible_on,
    cast(count(*) as bigint) as times
from dated
where visible_on <= {{ as_of_date() }} and happened_on is not null
group by account_id, action, happened_on
