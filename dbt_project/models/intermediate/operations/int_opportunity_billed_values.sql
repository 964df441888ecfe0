{# A deal is closed by hand, days before or after billing shows it. #}
{% set slack_days = 3 %}
with

deals as (
    select
        opportunity_id,
        billing_subscription_id,
        opportunity_type,
        closed_on,
        amount,
        currency
    from {{ ref('input_opportunities') }}
    where is_won and billing_subscription_id is not null and amount is not null
),

-- A year's value of everything in the subscription, before discounts: what salespeople write down.
states as (
    select
        subscription_id,
        valid_from,
        valid_to,
        sum(
            case
                when interval_months > 0 then unit_amount * quantity * 12 / interval_months
                else 0
            end
        ) as year_amount
    from {{ ref('int_subscription_item_states') }}
    group by subscription_id, valid_from, valid_to
),

numbered as (
    select
        *,
        row_number() over (partition by subscription_id order by valid_from) as state_number,
        row_number() over (partition by subscription_id order by valid_from desc)
            as state_number_from_end,
        year_amount
        - coalesce(lag(year_amount) over (partition by subscription_id order by valid_from), 0)
            as added_amount
    from states
),

-- What the deal may stand for: all that the subscription was worth around the day, at its beginning
-- or, a renewal signed late under another one, at its end; or what that day added to it.
candidates as (
    select
        deals.opportunity_id,
        deals.amount,
        deals.currency,
        states.year_amount as billed_amount
    from deals
    inner join numbered as states
        on
            deals.billing_subscription_id = states.subscription_id
            and (
                states.state_number = 1
                or (deals.opportunity_type = 'renewal' and states.state_number_from_end = 1)
                or (
                    {{ utc_date('states.valid_from') }}
                    <= {{ days_after('deals.closed_on', slack_days) }}
                    and (
                        states.valid_to is null
                        or {{ utc_date('states.valid_to') }}
                        >= {{ days_after('deals.closed_on', -slack_days) }}
                    )
                )
            )
    union all
    select
        deals.opportunity_id,
        deals.amount,
        deals.currency,
        states.added_amount as billed_amount
    from deals
    inner join numbered as states
        on
            deals.billing_subscription_id = states.subscription_id
            and {{ utc_date('states.valid_from') }}
            between {{ days_after('deals.closed_on', -slack_days) }}
            and {{ days_after('deals.closed_on', slack_days) }}
    where deals.opportunity_type = 'expansion'
),

ranked as (
    select
        *,
        row_number() over (
            partition by opportunity_id order by abs(billed_amount - amount), billed_amount desc
        ) as nearest_rank
    from candidates
)

select
    opportunity_id,
    currency,
    cast(amount as decimal(18, 2)) as crm_amount,
    cast(round(billed_amount, 2) as decimal(18, 2)) as billed_amount,
    -- Cents are lost where prices are quoted by the month and deals by the year.
    abs(billed_amount - amount) > greatest(1, 0.005 * abs(amount)) as is_different
from ranked
where nearest_rank = 1
