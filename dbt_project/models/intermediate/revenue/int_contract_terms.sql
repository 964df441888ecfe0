with

contracts as (
    select
        subscription_id,
        account_id,
        ended_on,
        is_involuntary
    from {{ ref('int_contracts') }}
),

segments as (
    select
        subscription_id,
        anchor_on,
        term_months,
        first_month,
        next_first_month,
        is_evergreen
    from {{ ref('int_contract_segments') }}
),

states as (
    select
        subscription_id,
        valid_from,
        valid_to,
        quantity,
        mrr_usd
    from {{ ref('int_subscription_item_states') }}
),

pauses as (
    select
        subscription_id,
        valid_from,
        valid_to
    from {{ ref('int_subscription_phases') }}
    where status = 'paused'
),

numbers as (
    {{ thousand_numbers() }}
),

-- Always counted from the first day, so that an anniversary of the 31st returns to the 31st.
terms as (
    select
        contracts.subscription_id,
        contracts.account_id,
        {{ months_after(
            'segments.anchor_on', 'segments.first_month + numbers.n * segments.term_months'
        ) }}
            as started_on,
        {{ months_after(
            'segments.anchor_on', 'segments.first_month + (numbers.n + 1) * segments.term_months'
        ) }}
            as due_on,
        -- A contract turned into another form inside its term ends there and goes on in that form.
        case
            when segments.next_first_month
                < segments.first_month + (numbers.n + 1) * segments.term_months
                then {{ months_after('segments.anchor_on', 'segments.next_first_month') }}
        end as reshaped_on,
        contracts.ended_on,
        segments.term_months,
        segments.is_evergreen,
        contracts.is_involuntary
    from segments
    inner join contracts on segments.subscription_id = contracts.subscription_id
    inner join numbers
        on
            segments.first_month + numbers.n * segments.term_months
            < coalesce(segments.next_first_month, 12000)
            and numbers.n * segments.term_months
            <= {{ months_between('segments.anchor_on', as_of_date()) }} - segments.first_month
),

begun as (
    select
        subscription_id,
        account_id,
        row_number() over (
            partition by subscription_id
            order by started_on
        ) as term_number,
        started_on,
        due_on,
        term_months,
        is_evergreen,
        is_involuntary,
        case when ended_on <= due_on then ended_on end as ended_on,
        case when ended_on is null or reshaped_on < ended_on then reshaped_on end as reshaped_on,
        -- Money due is what was paid last: at the due date, or at the end if service ended before
        -- it.
        least(due_on, coalesce(reshaped_on, due_on), coalesce(ended_on, due_on)) as valued_on
    from terms
    where
        started_on <= {{ as_of_date() }}
        and (ended_on is null or started_on < ended_on)
),

valued as (
    select
        subscription_id,
        term_number,
        least(valued_on, {{ days_after(as_of_date(), 1) }}) as valued_on
    from begun
),

due as (
    select
        valued.subscription_id,
        valued.term_number,
        sum(states.mrr_usd) as mrr_usd,
        sum(states.quantity) as seats
    from valued
    inner join states
        on
            valued.subscription_id = states.subscription_id
            and {{ in_force_at_close(
                'states.valid_from', 'states.valid_to', day_start('valued.valued_on')
            ) }}
    group by valued.subscription_id, valued.term_number
),

continued as (
    select
        begun.subscription_id,
        begun.term_number,
        sum(states.mrr_usd) as mrr_usd,
        sum(states.quantity) as seats
    from begun
    inner join states
        on
            begun.subscription_id = states.subscription_id
            and {{ in_force_at_close(
                'states.valid_from', 'states.valid_to',
                day_start(days_after('begun.due_on', 1))
            ) }}
    where begun.ended_on is null
        and begun.reshaped_on is null
        and begun.due_on <= {{ as_of_date() }}
    group by begun.subscription_id, begun.term_number
),

paused as (
    select distinct
        begun.subscription_id,
        begun.term_number
    from begun
    inner join pauses
        on
            begun.subscription_id = pauses.subscription_id
            and {{ in_force_at_close(
                'pauses.valid_from', 'pauses.valid_to',
                day_start(days_after('begun.due_on', 1))
            ) }}
    where begun.ended_on is null
        and begun.reshaped_on is null
        and begun.due_on <= {{ as_of_date() }}
)

select
    begun.subscription_id,
    begun.account_id,
    begun.term_number,
    begun.started_on,
    begun.due_on,
    begun.ended_on,
    begun.reshaped_on,
    begun.term_months,
    cast(12 * coalesce(due.mrr_usd, 0) as decimal(18, 2)) as due_arr_usd,
    due.seats as due_seats,
    -- A contract that goes on with nothing but metered prices goes on for nothing.
    case
        when begun.ended_on is null
            and begun.reshaped_on is null
            and begun.due_on <= {{ as_of_date() }}
            then cast(12 * coalesce(continued.mrr_usd, 0) as decimal(18, 2))
    end as continued_arr_usd,
    continued.seats as continued_seats,
    begun.is_evergreen,
    begun.is_involuntary,
    paused.subscription_id is not null as is_paused_at_due
from begun
left join due
    on begun.subscription_id = due.subscription_id and begun.term_number = due.term_number
left join continued
    on begun.subscription_id = continued.subscription_id
        and begun.term_number = continued.term_number
left join paused
    on begun.subscription_id = paused.subscription_id
        and begun.term_number = paused.term_number
