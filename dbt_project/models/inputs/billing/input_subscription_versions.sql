-- The vendor keeps no history of a subscription. From the first landed version on, versions are the
-- history; before it, the history follows from the dates on the subscription and from its invoices.
with versions as (
    select
        *,
        row_number() over (partition by subscription_id order by version_at) as version_number,
        row_number() over (partition by subscription_id order by version_at desc) as recency,
        -- Paused collection leaves the vendor's own status as it is.
        case
            when pause_behavior is not null and status in ('active', 'past_due') then 'paused'
            else status
        end as own_status
    from {{ ref('stg_stripe__subscriptions') }}
),

-- The end is told by the first version that has it. Where that is the first version of all, nobody
-- could know before it was asked for: a cancellation may be dated back.
told_ends as (
    select
        subscription_id,
        ended_at,
        case
            when version_number > 1 then version_at
            else greatest(ended_at, coalesce(canceled_at, ended_at))
        end as known_at
    from versions
    where ended_at is not null
),

ends as (
    select
        subscription_id,
        min(ended_at) as ended_at,
        min(known_at) as known_at
    from told_ends
    where ended_at < {{ as_of_end() }} and known_at < {{ as_of_end() }}
    group by subscription_id
),

subscriptions as (
    select
        first_versions.subscription_id,
        first_versions.version_at as first_version_at,
        first_versions.own_status as first_status,
        first_versions.trial_start_at,
        first_versions.trial_end_at,
        newest.customer_id,
        upper(newest.currency) as currency,
        coalesce(first_versions.started_at, first_versions.created_at) as started_at,
        newest.billing_anchor_at,
        first_versions.current_period_end_at,
        {{ happened_by('newest.canceled_at') }} as cancel_requested_at,
        ends.ended_at,
        ends.known_at as end_known_at,
        case
            when newest.canceled_at < {{ as_of_end() }} or ends.ended_at is not null
                then coalesce(newest.cancellation_feedback, newest.cancellation_reason)
        end as cancellation_reason,
        ends.ended_at is not null
        and coalesce(newest.cancellation_reason in ('payment_failed', 'payment_disputed'), false)
            as is_involuntary,
        cast({{ json_text('newest.metadata', 'term_months') }} as bigint) as term_months,
        {{ json_text('newest.metadata', 'replaces_subscription_id') }} as replaces_subscription_id
    from versions as first_versions
    inner join versions as newest
        on first_versions.subscription_id = newest.subscription_id and newest.recency = 1
    left join ends on first_versions.subscription_id = ends.subscription_id
    where first_versions.version_number = 1
),

-- A service period all of whose invoices are void was not collected: the subscription was paused. A
-- void invoice beside a valid one of the same period only was a mistake.
void_periods as (
    select
        lines.subscription_id,
        lines.period_start_at,
        max(lines.period_end_at) as period_end_at
    from {{ ref('stg_stripe__invoice_lines') }} as lines
    inner join {{ ref('stg_stripe__invoices') }} as invoices
        on lines.invoice_id = invoices.invoice_id
    where
        lines.subscription_item_id is not null
        and not coalesce(lines.is_proration, false)
        and invoices.status <> 'deleted'
    group by lines.subscription_id, lines.period_start_at
    having min(case when invoices.status = 'void' then 1 else 0 end) = 1
),

-- An invoice to be charged that a first attempt did not settle: past due from that attempt, made on
-- finalising, until paid.
failed_payments as (
    select
        subscription_id,
        finalized_at as failed_at,
        paid_at
    from {{ ref('stg_stripe__invoices') }}
    where
        collection_method = 'charge_automatically'
        and (
            (status = 'paid' and attempt_count > 1 and paid_at > finalized_at)
            or (status in ('open', 'uncollectible') and attempt_count > 0)
        )
),

-- From which instant on which status holds. Of several at one instant the greatest weight counts.
derived as (
    select
        subscription_id,
        started_at as happened_at,
        case
            when first_status in ('incomplete', 'incomplete_expired') then 'incomplete'
            when trial_end_at > started_at and coalesce(trial_start_at, started_at) <= started_at
                then 'trialing'
            else 'active'
        end as status,
        1 as weight
    from subscriptions
    union all
    select
        subscription_id,
        trial_start_at as happened_at,
        'trialing' as status,
        2 as weight
    from subscriptions
    where trial_start_at > started_at
    union all
    select
        subscription_id,
        trial_end_at as happened_at,
        -- A trial that ends without means of payment leaves the subscription paused.
        case when first_status = 'paused' then 'paused' else 'active' end as status,
        2 as weight
    from subscriptions
    where trial_end_at > started_at
    union all
    select
        subscription_id,
        paid_at as happened_at,
        'active' as status,
        3 as weight
    from failed_payments
    union all
    select
        subscription_id,
        failed_at as happened_at,
        'past_due' as status,
        4 as weight
    from failed_payments
    union all
    select
        subscription_id,
        period_end_at as happened_at,
        'active' as status,
        3 as weight
    from void_periods
    union all
    select
        subscription_id,
        period_start_at as happened_at,
        'paused' as status,
        5 as weight
    from void_periods
),

points as (
    select
        derived.subscription_id,
        derived.happened_at,
        derived.status,
        derived.weight,
        subscriptions.current_period_end_at,
        derived.happened_at as known_at
    from derived
    inner join subscriptions on derived.subscription_id = subscriptions.subscription_id
    where derived.happened_at < subscriptions.first_version_at
    union all
    select
        versions.subscription_id,
        greatest(versions.version_at, subscriptions.started_at) as happened_at,
        versions.own_status as status,
        6 as weight,
        versions.current_period_end_at,
        versions.version_at as known_at
    from versions
    inner join subscriptions on versions.subscription_id = subscriptions.subscription_id
    where versions.is_known_version
    union all
    select
        subscription_id,
        ended_at as happened_at,
        case first_status when 'incomplete_expired' then first_status else 'canceled' end as status,
        7 as weight,
        current_period_end_at,
        end_known_at as known_at
    from subscriptions
    where ended_at is not null
),

weighed as (
    select
        points.*,
        row_number() over (
            partition by points.subscription_id, points.happened_at
            order by points.weight desc, points.known_at desc
        ) as preference
    from points
    inner join subscriptions on points.subscription_id = subscriptions.subscription_id
    where
        points.happened_at >= subscriptions.started_at
        and points.happened_at < {{ as_of_end() }}
        and (
            subscriptions.ended_at is null
            or points.happened_at < subscriptions.ended_at
            or (points.happened_at = subscriptions.ended_at and points.weight = 7)
        )
),

compared as (
    select
        *,
        lag(status) over (partition by subscription_id order by happened_at) as previous_status,
        lag(current_period_end_at) over (
            partition by subscription_id order by happened_at
        ) as previous_period_end_at
    from weighed
    where preference = 1
),

changes as (
    select
        *,
        lead(happened_at) over (
            partition by subscription_id order by happened_at
        ) as next_happened_at
    from compared
    where
        previous_status is null
        or previous_status <> status
        or previous_period_end_at <> current_period_end_at
)

select
    changes.subscription_id,
    customers.account_id,
    subscriptions.customer_id as billing_customer_id,
    changes.happened_at as valid_from,
    changes.next_happened_at as valid_to,
    changes.status,
    subscriptions.currency,
    subscriptions.started_at,
    subscriptions.trial_end_at,
    subscriptions.cancel_requested_at,
    subscriptions.ended_at,
    subscriptions.term_months,
    changes.current_period_end_at,
    subscriptions.cancellation_reason,
    subscriptions.is_involuntary,
    subscriptions.replaces_subscription_id,
    subscriptions.billing_anchor_at,
    changes.known_at
from changes
inner join subscriptions on changes.subscription_id = subscriptions.subscription_id
left join {{ ref('input_customers') }} as customers
    on subscriptions.customer_id = customers.billing_customer_id
