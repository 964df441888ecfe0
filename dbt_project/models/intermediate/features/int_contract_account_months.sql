with

observations as (
    select
        account_id,
        observed_on,
        month_number,
        life_started_on,
        {{ day_start(days_after('observed_on', 1)) }} as closes_at
    from {{ ref('int_account_observations') }}
),

-- A term can still be decided until service ended or something took its place; what was decided
-- about it later is its label, and never moves the days on which it was open.
terms as (
    select
        account_id,
        contract_term_id,
        started_on,
        due_on,
        cycle_number,
        term_months,
        is_evergreen,
        outcome,
        outcome_known_on,
        notice_on,
        -- A contract replaced before it was due was not renewed at that size, but ended early.
        case
            when
                outcome in (
                    'renewed_expanded', 'renewed_flat', 'renewed_contracted', 'renewed_late'
                )
                and due_arr_usd > 0
                then cast(renewed_arr_usd as double) / cast(due_arr_usd as double)
        end as arr_multiple,
        case
            when outcome in ('lost', 'pending', 'renewed_late') then coalesce(ended_on, due_on)
            when outcome = 'paused' then due_on
            else renewed_on
        end as decided_on
    from {{ ref('fct_contract_terms') }}
),

-- Several contracts: the next one due is the renewal that is asked about.
open_terms as (
    select
        observations.account_id,
        observations.observed_on,
        terms.contract_term_id,
        terms.due_on,
        terms.cycle_number,
        terms.term_months,
        terms.is_evergreen,
        terms.outcome,
        terms.outcome_known_on,
        terms.notice_on,
        terms.arr_multiple,
        row_number() over (
            partition by observations.account_id, observations.observed_on
            order by terms.due_on, terms.contract_term_id
        ) as due_rank,
        count(*) over (
            partition by observations.account_id, observations.observed_on
        ) as contracts_open
    from observations
    inner join terms
        on
            observations.account_id = terms.account_id
            and observations.observed_on >= terms.started_on
            and (terms.decided_on is null or observations.observed_on < terms.decided_on)
),

states as (
    select
        account_id,
        plan_id,
        valid_from,
        valid_to,
        status,
        quantity,
        discount_rate,
        mrr_usd,
        is_paying,
        is_paused
    from {{ ref('fct_subscription_states') }}
),

money as (
    select
        observations.account_id,
        observations.observed_on,
        sum(states.mrr_usd) as mrr_usd,
        sum(case when states.is_paying then states.quantity else 0 end) as seats,
        count(distinct case when states.is_paying then states.plan_id end) as plans,
        sum(
            case when states.is_paying then states.discount_rate * states.mrr_usd end
        ) as discounted,
        max(case when states.status = 'past_due' then 1 else 0 end) as is_past_due,
        max(case when states.is_paused then 1 else 0 end) as is_paused
    from observations
    inner join states
        on
            observations.account_id = states.account_id
            and {{ in_force_at_close(
                'states.valid_from', 'states.valid_to', 'observations.closes_at'
            ) }}
    group by observations.account_id, observations.observed_on
),

-- Observations have one row a month without gaps, so twelve rows back is a year back.
compared as (
    select
        observations.account_id,
        observations.observed_on,
        observations.life_started_on,
        cast(12 * coalesce(money.mrr_usd, 0) as decimal(18, 2)) as arr_usd,
        coalesce(money.seats, 0) as seats,
        coalesce(money.plans, 0) as plans,
        case when money.mrr_usd > 0 then money.discounted / money.mrr_usd end as discount_rate,
        money.is_past_due,
        money.is_paused,
        lag(12 * coalesce(money.mrr_usd, 0), 12) over account_months as arr_before_usd,
        lag(coalesce(money.seats, 0), 12) over account_months as seats_before
    from observations
    left join money
        on
            observations.account_id = money.account_id
            and observations.observed_on = money.observed_on
    window
        account_months as (
            partition by observations.account_id
            order by observations.month_number
        )
)

select
    compared.account_id,
    open_terms.contract_term_id,
    compared.observed_on,
    open_terms.due_on as next_due_on,
    compared.life_started_on,
    case when open_terms.outcome_known_on <= {{ as_of_date() }} then open_terms.outcome_known_on end
        as label_known_on,
    open_terms.notice_on as label_notice_on,
    open_terms.cycle_number,
    open_terms.term_months,
    cast(
        {{ dbt.datediff('compared.life_started_on', 'compared.observed_on', 'day') }}
        as bigint
    ) as tenure_days,
    cast(open_terms.contracts_open as bigint) as contracts_open,
    compared.arr_usd,
    cast(compared.seats as bigint) as seats,
    cast(compared.plans as bigint) as plans,
    {{ stable('compared.discount_rate', 6) }} as discount_rate,
    {{ stable(
        'case when compared.arr_before_usd > 0'
        ~ ' then compared.arr_usd / compared.arr_before_usd - 1 end', 6
    ) }} as arr_change_12m_rate,
    {{ stable(
        'case when compared.seats_before > 0'
        ~ ' then 1.0 * compared.seats / compared.seats_before - 1 end', 6
    ) }} as seats_change_12m_rate,
    {{ stable(
        'case when compared.arr_before_usd > 0 and compared.seats_before > 0 and compared.seats > 0'
        ~ ' then (cast(compared.arr_usd as double) / compared.seats)'
        ~ ' / (cast(compared.arr_before_usd as double) / compared.seats_before) - 1 end', 6
    ) }} as price_change_12m_rate,
    case
        when open_terms.outcome_known_on > {{ as_of_date() }} then null
        when open_terms.outcome = 'lost' then 1
        when
            open_terms.outcome in (
                'renewed_expanded', 'renewed_flat', 'renewed_contracted', 'renewed_late',
                'superseded'
            )
            then 0
    end as label_is_lost,
    case
        when open_terms.outcome_known_on <= {{ as_of_date() }}
            then {{ stable('open_terms.arr_multiple', 6) }}
    end as label_arr_multiple,
    open_terms.is_evergreen,
    coalesce(compared.is_past_due = 1, false) as is_past_due,
    coalesce(compared.is_paused = 1, false) as is_paused
from compared
inner join open_terms
    on
        compared.account_id = open_terms.account_id
        and compared.observed_on = open_terms.observed_on
        and open_terms.due_rank = 1
