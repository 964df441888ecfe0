with

changes as (
    select
        subscription_id,
        plan_id,
        account_id,
        month_end_on,
        opening_quantity,
        closing_quantity,
        opening_mrr_usd,
        closing_mrr_usd,
        opening_paused_usd,
        closing_paused_usd
    from {{ ref('int_subscription_month_changes') }}
),

-- Money that pauses or resumes is a movement of its own and is no part of a change.
lasting as (
    select
        account_id,
        month_end_on,
        coalesce(plan_id, 'unknown') as plan_id,
        case when opening_mrr_usd > 0 then opening_quantity else 0 end as opening_quantity,
        case when closing_mrr_usd > 0 then closing_quantity else 0 end as closing_quantity,
        opening_mrr_usd,
        closing_mrr_usd
    from changes
    where opening_paused_usd = 0 and closing_paused_usd = 0
),

plans as (
    select
        account_id,
        month_end_on,
        plan_id,
        sum(opening_quantity) as opening_quantity,
        sum(closing_quantity) as closing_quantity,
        cast(sum(opening_mrr_usd) as decimal(18, 2)) as opening_mrr_usd,
        cast(sum(closing_mrr_usd) as decimal(18, 2)) as closing_mrr_usd
    from lasting
    group by account_id, month_end_on, plan_id
),

-- Seats at the old price, the new price on all seats; what comes with a plan taken up or given up
-- is plan.
parts as (
    select
        account_id,
        month_end_on,
        closing_mrr_usd - opening_mrr_usd as change_usd,
        case
            when opening_quantity > 0 and closing_quantity > 0
                then cast(
                        round(
                            cast(
                                (closing_quantity - opening_quantity)
                                * opening_mrr_usd
                                * 100 as double
                            )
                            / cast(opening_quantity as double)
                        ) / 100 as decimal(18, 2)
                    )
            else 0
        end as seats_usd,
        opening_quantity > 0 and closing_quantity > 0 as is_kept
    from plans
)

select
    account_id,
    month_end_on,
    cast(sum(seats_usd) as decimal(18, 2)) as seats_usd,
    cast(sum(case when is_kept then change_usd - seats_usd else 0 end) as decimal(18, 2))
        as price_usd,
    cast(sum(case when is_kept then 0 else change_usd end) as decimal(18, 2)) as plan_usd
from parts
group by account_id, month_end_on
