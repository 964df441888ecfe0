with

contracts as (
    select
        subscription_id,
        anchor_on
    from {{ ref('int_contracts') }}
),

states as (
    select
        subscription_id,
        valid_from,
        term_months,
        interval_months
    from {{ ref('int_subscription_item_states') }}
    where status <> 'trialing'
),

-- The term is what the contract says; else what is paid for at once, if that is a year or more;
-- else the subscription is self-serve and rolls on, reported in years.
spans as (
    select
        subscription_id,
        valid_from,
        coalesce(
            max(term_months),
            max(case when interval_months >= 12 then interval_months end),
            12
        ) as term_months,
        max(term_months) is null and max(interval_months) < 12 as is_evergreen
    from states
    group by subscription_id, valid_from
),

changes as (
    select
        subscription_id,
        valid_from,
        term_months,
        is_evergreen,
        case
            when
                lag(term_months) over (partition by subscription_id order by valid_from)
                = term_months
                and lag(is_evergreen) over (partition by subscription_id order by valid_from)
                = is_evergreen
                then 0
            else 1
        end as is_change
    from spans
),

starts as (
    select
        changes.subscription_id,
        contracts.anchor_on,
        changes.term_months,
        changes.is_evergreen,
        row_number() over (
            partition by changes.subscription_id
            order by changes.valid_from
        ) as segment_number,
        -- Whole months since the anchor; the first form of a contract counts from the anchor
        -- itself.
        case
            when changes.valid_from
                = min(changes.valid_from) over (partition by changes.subscription_id)
                then 0
            else greatest(
                    {{ months_between('contracts.anchor_on', utc_date('changes.valid_from')) }}
                    - case
                        when
                            {{ utc_date('changes.valid_from') }} < {{ months_after(
                            'contracts.anchor_on',
                            months_between('contracts.anchor_on', utc_date('changes.valid_from'))
                        ) }}
                            then 1
                        else 0
                    end,
                    0
                )
        end as first_month
    from changes
    inner join contracts on changes.subscription_id = contracts.subscription_id
    where changes.is_change = 1
)

select
    subscription_id,
    segment_number,
    anchor_on,
    term_months,
    first_month,
    lead(first_month) over (
        partition by subscription_id
        order by segment_number
    ) as next_first_month,
    is_evergreen
from starts
