with

states as (
    select
        subscription_item_id,
        subscription_id,
        account_id,
        plan_id,
        price_id,
        valid_from,
        valid_to,
        status,
        currency,
        quantity,
        unit_amount,
        discount_rate,
        mrr,
        mrr_usd,
        paused_mrr_usd,
        is_paused
    from {{ ref('int_subscription_item_states') }}
)

select
    subscription_item_id,
    subscription_id,
    account_id,
    plan_id,
    price_id,
    valid_from,
    valid_to,
    status,
    currency,
    quantity,
    unit_amount,
    discount_rate,
    mrr,
    mrr_usd,
    paused_mrr_usd,
    mrr_usd > 0 as is_paying,
    is_paused
from states
