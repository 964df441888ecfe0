with versions as (
    {{ known_versions(
        'stripe', 'subscriptions',
        key=['id'],
        created='created',
        last_wins=['ended_at desc nulls last', 'current_period_end desc nulls last', 'status'],
    ) }}
)

select
    id as subscription_id,
    created as created_at,
    customer_id,
    status,
    currency,
    start_date as started_at,
    billing_cycle_anchor as billing_anchor_at,
    trial_start as trial_start_at,
    trial_end as trial_end_at,
    cancel_at,
    cancel_at_period_end as is_ending_with_period,
    canceled_at,
    ended_at,
    current_period_start as current_period_start_at,
    current_period_end as current_period_end_at,
    collection_method,
    pause_behavior,
    pause_resumes_at,
    cancellation_reason,
    cancellation_feedback,
    metadata,
    _version_at as version_at,
    _was_known as is_known_version
from versions
