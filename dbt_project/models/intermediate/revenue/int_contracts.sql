with

versions as (
    select
        subscription_id,
        valid_from,
        started_at,
        trial_end_at,
        cancel_requested_at,
        cancellation_reason,
        replaces_subscription_id,
        is_involuntary,
        row_number() over (
            partition by subscription_id
            order by valid_from desc
        ) as newest_rank
    from {{ ref('input_subscription_versions') }}
),

-- Only what was in force after any trial is a contract; a trial that nobody bought is none.
states as (
    select
        subscription_id,
        billing_customer_id,
        account_id
    from {{ ref('int_subscription_item_states') }}
    where account_id is not null and status <> 'trialing'
),

phases as (
    select
        subscription_id,
        valid_from,
        ended_at,
        status,
        row_number() over (
            partition by subscription_id
            order by valid_from desc
        ) as newest_rank
    from {{ ref('int_subscription_phases') }}
),

-- Marked unpaid and never paid again, a contract ended when it was marked, whenever the vendor
-- closes it.
ends as (
    select
        subscription_id,
        case when status = 'unpaid' then valid_from else ended_at end as ended_at,
        status = 'unpaid' as is_unpaid
    from phases
    where newest_rank = 1
),

lives as (
    select distinct
        subscription_id,
        billing_customer_id,
        account_id
    from states
)

select
    lives.subscription_id,
    lives.billing_customer_id,
    lives.account_id,
    versions.replaces_subscription_id,
    {{ utc_date('versions.started_at') }} as started_on,
    -- Billing periods and terms count from here.
    {{ utc_date('coalesce(versions.trial_end_at, versions.started_at)') }} as anchor_on,
    {{ utc_date('versions.cancel_requested_at') }} as cancel_requested_on,
    {{ utc_date('ends.ended_at') }} as ended_on,
    versions.cancellation_reason,
    ends.is_unpaid or versions.is_involuntary as is_involuntary
from lives
inner join versions
    on lives.subscription_id = versions.subscription_id and versions.newest_rank = 1
inner join ends on lives.subscription_id = ends.subscription_id
