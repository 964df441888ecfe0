with

item_months as (
    select
        subscription_id,
        account_id,
        month_end_on,
        status,
        quantity,
        mrr_usd,
        paused_mrr_usd
    from {{ ref('int_subscription_item_months') }}
),

states as (
    select
        account_id,
        valid_from
    from {{ ref('int_subscription_item_states') }}
    where account_id is not null
),

months as (
    select
        month_number,
        month_end_on
    from {{ ref('int_month_ends') }}
),

movements as (
    select
        surviving_account_id as account_id,
        {% for movement in movement_types() -%}
            sum(case when movement_type = '{{ movement }}' then amount_usd else 0 end)
                as {{ movement }}_usd,
        {% endfor -%}
        month as month_end_on
    from {{ ref('fct_mrr_movements') }}
    group by surviving_account_id, month
),

first_contracts as (
    select
        account_id,
        {{ utc_date('min(valid_from)') }} as first_contract_on
    from states
    group by account_id
),

closings as (
    select
        account_id,
        month_end_on,
        sum(mrr_usd) as mrr_usd,
        sum(paused_mrr_usd) as paused_mrr_usd,
        sum(case when mrr_usd > 0 then quantity else 0 end) as seats,
        count(distinct subscription_id) as subscriptions,
        max(case when status = 'past_due' then 1 else 0 end) as is_past_due
    from item_months
    group by account_id, month_end_on
),

-- From the first contract on and for good: a customer lost stays in the spine with nothing paid, so
-- that every return has an opening and every rate its base.
spine as (
    select
        first_contracts.account_id,
        first_contracts.first_contract_on,
        months.month_number,
        months.month_end_on
    from first_contracts
    inner join months on first_contracts.first_contract_on <= months.month_end_on
),

filled as (
    select
        spine.account_id,
        spine.first_contract_on,
        spine.month_number,
        spine.month_end_on,
        cast(coalesce(closings.mrr_usd, 0) as decimal(18, 2)) as closing_mrr_usd,
        cast(coalesce(closings.paused_mrr_usd, 0) as decimal(18, 2)) as paused_mrr_usd,
        coalesce(closings.seats, 0) as seats,
        coalesce(closings.subscriptions, 0) as subscriptions,
        coalesce(closings.is_past_due = 1, false) as is_past_due
    from spine
    left join closings
        on
            spine.account_id = closings.account_id
            and spine.month_end_on = closings.month_end_on
)

select
    filled.account_id,
    filled.month_end_on,
    cast(filled.month_number as bigint) as month_number,
    cast(
        coalesce(
            lag(filled.closing_mrr_usd)
                over (partition by filled.account_id order by filled.month_end_on),
            0
        ) as decimal(18, 2)
    ) as opening_mrr_usd,
    {%- for movement in movement_types() %}
        cast(coalesce(movements.{{ movement }}_usd, 0) as decimal(18, 2)) as {{ movement }}_usd,
    {%- endfor %}
    filled.closing_mrr_usd,
    lag(filled.closing_mrr_usd, 12)
        over (partition by filled.account_id order by filled.month_end_on)
        as mrr_12m_before_usd,
    filled.paused_mrr_usd,
    cast(filled.seats as bigint) as seats,
    cast(filled.subscriptions as bigint) as subscriptions,
    filled.is_past_due
from filled
left join movements
    on
        filled.account_id = movements.account_id
        and filled.month_end_on = movements.month_end_on
