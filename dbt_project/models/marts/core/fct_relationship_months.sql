{# Days in which half of a touch is forgotten, and after which all of it is. #}
{% set half_life_days, remembered_days = 90, 365 %}
{# Month-ends shown: whom we know is asked of today; two years show where it is going. #}
{% set months_shown = 24 %}
with

months as (
    select
        account_id,
        month_end_on,
        {{ month_index('month_end_on') }} as month_number
    from {{ ref('fct_account_months') }}
    where
        is_active
        and month_end_on > {{ months_after(as_of_date(), 0 - months_shown) }}
),

months_later as (
    {{ months_later(12) }}
),

weights as (
    select
        touch_type,
        two_way_weight,
        one_way_weight
    from {{ ref('touch_weights') }}
),

other_weights as (
    select
        two_way_weight,
        one_way_weight
    from weights
    where touch_type = 'other'
),

touches as (
    select
        touches.account_id,
        people.person_id,
        touches.event_on,
        touches.visible_on,
        coalesce(touches.is_two_way, false) as is_two_way,
        case
            when touches.is_two_way then coalesce(weights.two_way_weight, others.two_way_weight)
            else coalesce(weights.one_way_weight, others.one_way_weight)
        end as weight
    from {{ ref('int_touches') }} as touches
    inner join {{ ref('int_touch_people') }} as people
        on touches.activity_id = people.activity_id
    cross join other_weights as others
    left join weights on touches.activity_type = weights.touch_type
    where
        touches.account_id is not null
        and touches.event_on > {{ months_after(as_of_date(), -13 - months_shown) }}
),

remembered as (
    select
        months.account_id,
        touches.person_id,
        months.month_end_on,
        max(touches.event_on) as last_touch_on,
        max(case when touches.is_two_way then touches.event_on end) as last_two_way_touch_on,
        count(*) as touches_12m,
        count(case when touches.is_two_way then 1 end) as two_way_touches_12m,
        {{ exact_sum(
            'touches.weight * power(0.5, '
            ~ dbt.datediff('touches.event_on', 'months.month_end_on', 'day')
            ~ ' / ' ~ half_life_days ~ '.0)'
        ) }} as strength
    from touches
    cross join months_later
    inner join months
        on
            touches.account_id = months.account_id
            and {{ month_index('touches.event_on') }} + months_later.months_later
            = months.month_number
    where
        touches.visible_on <= months.month_end_on
        and touches.event_on <= months.month_end_on
        and {{ within_days('touches.event_on', 'months.month_end_on', remembered_days) }}
    group by months.account_id, touches.person_id, months.month_end_on
),

states as (
    select
        person_id,
        account_id,
        visible_from_on,
        visible_to_on,
        level,
        is_champion,
        is_sponsor,
        is_gone,
        started_on
    from {{ ref('int_person_states') }}
),

-- Whoever is known to have left is no relationship of the account any more.
in_place as (
    select
        remembered.*,
        states.level,
        states.is_champion,
        states.is_sponsor,
        row_number() over (
            partition by remembered.account_id, remembered.person_id, remembered.month_end_on
            order by states.started_on desc, states.visible_from_on desc
        ) as newest_rank
    from remembered
    inner join states
        on
            remembered.person_id = states.person_id
            and remembered.account_id = states.account_id
            and remembered.month_end_on >= states.visible_from_on
            and (
                states.visible_to_on is null
                or remembered.month_end_on < states.visible_to_on
            )
    where not states.is_gone
)

select
    account_id,
    person_id,
    month_end_on,
    last_touch_on,
    last_two_way_touch_on,
    level,
    touches_12m,
    two_way_touches_12m,
    {{ stable('strength') }} as strength,
    {{ stable('strength / nullif(sum(' ~ exact('strength') ~ ') over of_account, 0)') }}
        as strength_share,
    rank() over (
        partition by account_id, month_end_on order by {{ stable('strength') }} desc, person_id asc
    ) as strength_rank,
    is_champion,
    is_sponsor
from in_place
where newest_rank = 1
window of_account as (partition by account_id, month_end_on)
