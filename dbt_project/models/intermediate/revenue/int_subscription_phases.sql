{% set endless = day_start("'9999-01-01'") %}
with

versions as (
    select
        subscription_id,
        billing_customer_id,
        valid_from,
        coalesce(valid_to, {{ endless }}) as valid_to,
        status,
        currency,
        started_at,
        cancel_requested_at,
        ended_at,
        coalesce(term_months, 0) as term_months,
        is_involuntary,
        row_number() over (
            partition by subscription_id
            order by valid_from desc
        ) as newest_rank
    from {{ ref('input_subscription_versions') }}
),

-- The newest version has the last word on when service ended: a back-dated cancellation reaches
-- into states that were believed to be active, a withdrawn one reaches nowhere.
service_ends as (
    select
        subscription_id,
        is_involuntary,
        least(
            coalesce(ended_at, {{ endless }}),
            {%- if policy_is('churn_date', 'cancellation_request') %}
            -- Revenue is held to end on the day the customer said so, though it is served to the
            -- period's end.
            coalesce(cancel_requested_at, {{ endless }})
            {%- else %}
                {{ endless }}
            {%- endif %}
        ) as ended_at
    from versions
    where newest_rank = 1
),

served as (
    select
        versions.subscription_id,
        versions.billing_customer_id,
        versions.currency,
        versions.started_at,
        versions.status,
        versions.term_months,
        versions.valid_from,
        least(versions.valid_to, service_ends.ended_at) as valid_to,
        service_ends.ended_at,
        service_ends.is_involuntary
    from versions
    inner join service_ends on versions.subscription_id = service_ends.subscription_id
    -- Never in force: a first payment that failed or expired, and what came after the end.
    where versions.status not in ('incomplete', 'incomplete_expired', 'canceled')
),

changes as (
    select
        subscription_id,
        billing_customer_id,
        currency,
        started_at,
        status,
        term_months,
        valid_from,
        valid_to,
        ended_at,
        is_involuntary,
        case
            when
                lag(status) over (partition by subscription_id order by valid_from) = status
                and lag(term_months) over (partition by subscription_id order by valid_from)
                = term_months
                and lag(valid_to) over (partition by subscription_id order by valid_from)
                = valid_from
                then 0
            else 1
        end as is_change
    from served
    where valid_from < valid_to
),

numbered as (
    select
        subscription_id,
        billing_customer_id,
        currency,
        started_at,
        status,
        term_months,
        valid_from,
        valid_to,
        ended_at,
        is_involuntary,
        sum(is_change) over (
            partition by subscription_id
            order by valid_from
            rows between unbounded preceding and current row
        ) as phase_number
    from changes
),

phases as (
    select
        subscription_id,
        phase_number,
        billing_customer_id,
        currency,
        started_at,
        ended_at,
        is_involuntary,
        status,
        term_months,
        min(valid_from) as valid_from,
        max(valid_to) as valid_to
    from numbered
    group by
        subscription_id, phase_number, billing_customer_id, currency, started_at, ended_at,
        is_involuntary, status, term_months
),

neighbours as (
    select
        *,
        lag(valid_to) over (partition by subscription_id order by valid_from) as previous_to,
        lag(status) over (partition by subscription_id order by valid_from) as previous_status,
        lead(valid_from) over (partition by subscription_id order by valid_from) as next_from,
        lead(status) over (partition by subscription_id order by valid_from) as next_status
    from phases
),

-- A status may outlast a change of terms: how long it lasts, and what it leads to, is told of it
-- as a whole.
turns as (
    select
        *,
        coalesce(previous_to = valid_from and previous_status = status, false) as is_continued,
        case when next_from = valid_to and next_status <> status then next_status end
            as led_to_status
    from neighbours
),

spells as (
    select
        *,
        sum(case when is_continued then 0 else 1 end) over (
            partition by subscription_id
            order by valid_from
            rows between unbounded preceding and current row
        ) as spell_number
    from turns
),

limits as (
    select
        *,
        min(valid_from) over (partition by subscription_id, spell_number) as spell_from,
        max(valid_to) over (partition by subscription_id, spell_number) as spell_to,
        max(led_to_status) over (partition by subscription_id, spell_number) as spell_leads_to
    from spells
),

judged as (
    select
        *,
        {%- if policy_is('past_due', 'thirty_days') %}
        -- A debt older than thirty days is no revenue, although the vendor still says past due.
        case
            when status = 'past_due'
                then greatest(
                        valid_from,
                        least(
                            valid_to,
                            {{ dbt.dateadd('day', var('past_due_counts_days'), 'spell_from') }}
                        )
                    )
            else valid_to
        end as paid_to,
        {%- else %}
            valid_to as paid_to,
        {%- endif %}
        -- A pause is waited for; one that lasts, or leads to anything but paid service, was a
        -- departure at its start.
        status = 'paused'
        and (
            coalesce(spell_leads_to, '') not in ('active', 'past_due') and spell_to < {{ endless }}
            or least(spell_to, {{ as_of_end() }})
            > {{ dbt.dateadd('day', var('pause_lapses_after_days'), 'spell_from') }}
        ) as is_lapsed_pause
    from limits
),

split as (
    select
        subscription_id,
        billing_customer_id,
        currency,
        started_at,
        ended_at,
        is_involuntary,
        status,
        term_months,
        is_lapsed_pause,
        spell_number,
        is_continued,
        previous_to,
        valid_from,
        paid_to as valid_to,
        true as is_within_terms
    from judged
    where valid_from < paid_to
    union all
    select
        subscription_id,
        billing_customer_id,
        currency,
        started_at,
        ended_at,
        is_involuntary,
        status,
        term_months,
        is_lapsed_pause,
        spell_number,
        true as is_continued,
        previous_to,
        paid_to as valid_from,
        valid_to,
        false as is_within_terms
    from judged
    where paid_to < valid_to
),

counted as (
    select
        subscription_id,
        billing_customer_id,
        valid_from,
        valid_to,
        started_at,
        ended_at,
        status,
        currency,
        term_months,
        is_involuntary,
        case
            when status = 'active' then true
            when status = 'past_due' then is_within_terms
            {%- if policy_is('paused', 'counts') %}
            when status = 'paused' then true
            {%- endif %}
            else false
        end as is_paying,
        {% if policy_is('paused', 'pause_movement') -%}
            status = 'paused' and not is_lapsed_pause
        {%- else -%}
        false
        {%- endif %} as is_pause,
        spell_number,
        is_continued,
        coalesce(previous_to = valid_from, false) as is_without_gap,
        lead(status) over (partition by subscription_id order by valid_from) as next_status
    from split
),

earning as (
    select
        *,
        not is_continued
        and is_without_gap
        and lag(is_paying) over (partition by subscription_id order by valid_from)
            as is_first_after_paid
    from counted
),

-- Paid states without a gap are one run, numbered by the unpaid states before it.
runs as (
    select
        subscription_id,
        billing_customer_id,
        valid_from,
        valid_to,
        started_at,
        ended_at,
        status,
        currency,
        term_months,
        is_paying,
        -- Who never paid does not pause paying: a trial may end in a pause.
        is_pause
        and max(case when is_first_after_paid then 1 else 0 end) over (
            partition by subscription_id, spell_number
        ) = 1 as is_paused,
        sum(case when is_paying then 0 else 1 end) over (
            partition by subscription_id
            order by valid_from
            rows between unbounded preceding and current row
        ) as run_number,
        -- Nobody decided to stop: the money did not come.
        case
            when not is_paying then 0
            when valid_to = ended_at and is_involuntary then 1
            when next_status = 'unpaid' then 1
            when status = 'past_due' and next_status = 'past_due' then 1
            else 0
        end as is_stopped_by_debt
    from earning
)

select
    subscription_id,
    billing_customer_id,
    valid_from,
    case when valid_to < {{ endless }} then valid_to end as valid_to,
    started_at,
    case when ended_at < {{ endless }} then ended_at end as ended_at,
    status,
    currency,
    case when term_months > 0 then term_months end as term_months,
    is_paying,
    is_paused,
    is_paying
    and max(is_stopped_by_debt) over (partition by subscription_id, run_number) = 1
        as is_involuntary
from runs
