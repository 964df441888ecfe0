with

observations as (
    select
        account_id,
        observed_on,
        month_number
    from {{ ref('int_account_observations') }}
),

months_later as (
    {{ months_later(12) }}
),

signals as (
    select
        account_id,
        occurred_on,
        {{ visible_on('occurred_on', 'known_at') }} as visible_on,
        case when competitor_id is not null then 1 else 0 end as competitor,
        case when signal_type = 'mention' and competitor_id is null then 1 else 0 end as mention,
        0 as trigger_event
    from {{ ref('fct_social_signals') }}
    where account_id is not null
    union all
    select
        account_id,
        occurred_on,
        {{ visible_on('occurred_on', 'known_at') }} as visible_on,
        0 as competitor,
        0 as mention,
        1 as trigger_event
    from {{ ref('fct_trigger_events') }}
    where account_id is not null
),

recent as (
    select
        observations.account_id,
        observations.observed_on,
        sum(signals.competitor) as competitor_signals_12m,
        sum(signals.mention) as mentions_12m,
        sum(signals.trigger_event) as trigger_events_12m
    from signals
    cross join months_later
    inner join observations
        on
            signals.account_id = observations.account_id
            and {{ month_index('signals.occurred_on') }} + months_later.months_later
            = observations.month_number
    where
        signals.visible_on <= observations.observed_on
        and {{ within_days('signals.occurred_on', 'observations.observed_on', 365) }}
    group by observations.account_id, observations.observed_on
),

-- Each kind is a fact only from when it is recorded at all.
coverage as (
    select
        min(case when competitor = 1 then visible_on end) as competitors_from_on,
        min(case when mention = 1 then visible_on end) as mentions_from_on,
        min(case when trigger_event = 1 then visible_on end) as trigger_events_from_on
    from signals
),

-- Plans to save an account are opened because it is already leaving: they would predict the past.
plans as (
    select
        accounts.account_id,
        plans.action_plan_id,
        {{ visible_on('plans.opened_on', 'plans.known_at') }} as visible_on,
        plans.closed_on
    from {{ ref('input_action_plans') }} as plans
    inner join {{ ref('int_account_map') }} as accounts
        on plans.account_id = accounts.source_account_id
    where plans.plan_type in ('success', 'onboarding')
),

plans_from as (
    select min(visible_on) as recorded_from_on
    from plans
),

planned as (
    select
        observations.account_id,
        observations.observed_on,
        count(*) as success_plans_open
    from observations
    inner join plans
        on
            observations.account_id = plans.account_id
            and observations.observed_on >= plans.visible_on
            and (plans.closed_on is null or observations.observed_on < plans.closed_on)
    group by observations.account_id, observations.observed_on
)

select
    observations.account_id,
    observations.observed_on,
    case
        when observations.observed_on >= coverage.competitors_from_on
            then cast(coalesce(recent.competitor_signals_12m, 0) as bigint)
    end as competitor_signals_12m,
    case
        when observations.observed_on >= coverage.mentions_from_on
            then cast(coalesce(recent.mentions_12m, 0) as bigint)
    end as mentions_12m,
    case
        when observations.observed_on >= coverage.trigger_events_from_on
            then cast(coalesce(recent.trigger_events_12m, 0) as bigint)
    end as trigger_events_12m,
    case
        when observations.observed_on >= plans_from.recorded_from_on
            then cast(coalesce(planned.success_plans_open, 0) as bigint)
    end as success_plans_open
from observations
cross join coverage
cross join plans_from
left join recent
    on observations.account_id = recent.account_id and observations.observed_on = recent.observed_on
left join planned
    on
        observations.account_id = planned.account_id
        and observations.observed_on = planned.observed_on
