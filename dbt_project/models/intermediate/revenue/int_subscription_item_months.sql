with

months as (
    select
        month_end_on,
        closes_at
    from {{ ref('int_month_ends') }}
),

-- An orphan, paid for by a customer no account is known of, is in no account's month.
states as (
    select
        subscription_id,
        subscription_item_id,
        billing_customer_id,
        account_id,
        plan_id,
        valid_from,
        valid_to,
        status,
        quantity,
        price_terms,
        mrr_usd,
        paused_mrr_usd,
        is_involuntary
    from {{ ref('int_subscription_item_states') }}
    where account_id is not null
)

select
    states.subscription_id,
    states.subscription_item_id,
    states.billing_customer_id,
    states.account_id,
    states.plan_id,
    months.month_end_on,
    states.status,
    states.quantity,
    states.price_terms,
    states.mrr_usd,
    states.paused_mrr_usd,
    states.is_involuntary
from states
inner join
    months
    on {{ in_force_at_close('states.valid_from', 'states.valid_to', 'months.closes_at') }}
