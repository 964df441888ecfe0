with

changes as (
    select
        account_id,
        surviving_account_id,
        month_end_on,
        opening_mrr_usd,
        closing_mrr_usd,
        movement_of_account,
        merge_transfer_usd,
        pause_out_usd,
        pause_in_usd,
        change_usd,
        is_involuntary
    from {{ ref('int_account_month_changes') }}
),

parts as (
    select
        account_id,
        month_end_on,
        seats_usd,
        price_usd,
        plan_usd
    from {{ ref('int_account_month_parts') }}
),

movements as (
    -- The whole account came, left or came back.
    select
        account_id,
        surviving_account_id,
        month_end_on,
        movement_of_account as movement_type,
        case when movement_of_account = 'churn' then opening_mrr_usd else closing_mrr_usd end
            as amount_usd,
        movement_of_account = 'churn' and is_involuntary as is_involuntary
    from changes
    where movement_of_account in ('new', 'churn', 'reactivation')
    union all
    select
        account_id,
        surviving_account_id,
        month_end_on,
        'pause_out' as movement_type,
        pause_out_usd as amount_usd,
        false as is_involuntary
    from changes
    where pause_out_usd <> 0
    union all
    select
        account_id,
        surviving_account_id,
        month_end_on,
        'pause_in' as movement_type,
        pause_in_usd as amount_usd,
        false as is_involuntary
    from changes
    where pause_in_usd <> 0
    union all
    -- The only signed amount: what a company took over with another, and what the other gave up.
    select
        account_id,
        surviving_account_id,
        month_end_on,
        'merge_transfer' as movement_type,
        merge_transfer_usd as amount_usd,
        false as is_involuntary
    from changes
    where merge_transfer_usd <> 0
    union all
    select
        account_id,
        surviving_account_id,
        month_end_on,
        'expansion' as movement_type,
        change_usd as amount_usd,
        false as is_involuntary
    from changes
    where change_usd > 0
    union all
    -- Ending one of several subscriptions is contraction, by choice or not.
    select
        account_id,
        surviving_account_id,
        month_end_on,
        'contraction' as movement_type,
        -change_usd as amount_usd,
        is_involuntary
    from changes
    where change_usd < 0
)

select
    movements.account_id,
    movements.surviving_account_id,
    movements.month_end_on as month,
    movements.movement_type,
    cast(movements.amount_usd as decimal(18, 2)) as amount_usd,
    cast(case
        when movements.movement_type = 'expansion' then parts.seats_usd
        when movements.movement_type = 'contraction' then -parts.seats_usd
    end as decimal(18, 2)) as seats_usd,
    cast(case
        when movements.movement_type = 'expansion' then parts.price_usd
        when movements.movement_type = 'contraction' then -parts.price_usd
    end as decimal(18, 2)) as price_usd,
    cast(case
        when movements.movement_type = 'expansion' then parts.plan_usd
        when movements.movement_type = 'contraction' then -parts.plan_usd
    end as decimal(18, 2)) as plan_usd,
    movements.is_involuntary
from movements
left join parts
    on
        movements.account_id = parts.account_id
        and movements.month_end_on = parts.month_end_on
