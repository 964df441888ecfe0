with

states as (
    select
        states.person_id,
        states.account_id,
        states.visible_from_on,
        states.visible_to_on,
        states.started_on,
        states.level,
        {{ level_rank('states.level') }} as level_rank,
        states.is_gone,
        states.is_champion,
        states.is_sponsor,
        states.is_champion or states.is_sponsor as is_in_role,
        lag(states.is_champion or states.is_sponsor) over knowledge as was_in_role,
        -- The end that was told first, at once or soon after the role had been taken away for it.
        min(case when states.is_gone then states.ended_on end) over (
            partition by states.person_id, states.account_id
            order by states.visible_from_on
            rows between 1 following and unbounded following
        ) as ended_later_on
    from {{ ref('int_person_states') }} as states
    window
        knowledge as (
            partition by states.person_id, states.account_id
            order by states.visible_from_on
        )
),

numbered as (
    select
        *,
        sum(case when is_in_role and not coalesce(was_in_role, false) then 1 else 0 end) over (
            partition by person_id, account_id
            order by visible_from_on
            rows unbounded preceding
        ) as spell_number
    from states
),

ranked as (
    select
        *,
        row_number() over (
            partition by person_id, account_id, spell_number
            order by visible_from_on
        ) as first_rank,
        row_number() over (
            partition by person_id, account_id, spell_number
            order by visible_from_on desc
        ) as last_rank,
        first_value(level_rank) over (
            partition by person_id, account_id, spell_number
            order by visible_from_on
        ) as first_level_rank
    from numbered
    where is_in_role
),

spells as (
    select
        person_id,
        account_id,
        spell_number,
        min(visible_from_on) as known_from_on,
        max(case when first_rank = 1 then started_on end) as joined_on,
        max(case when last_rank = 1 then visible_to_on end) as known_to_on,
        min(case when level_rank > first_level_rank then visible_from_on end) as promoted_on,
        max(case when first_rank = 1 then level end) as first_level,
        max(case when last_rank = 1 then level end) as last_level,
        max(case when is_champion then 1 else 0 end) = 1 as is_champion,
        max(case when is_sponsor then 1 else 0 end) = 1 as is_sponsor,
        max(case when last_rank = 1 and ended_later_on <= visible_to_on then ended_later_on end)
            as left_on
    from ranked
    group by person_id, account_id, spell_number
)

select
    person_id,
    account_id,
    joined_on,
    known_from_on,
    known_to_on,
    -- Who leaves is lost on the day of leaving; who stays without the role, when that is written.
    coalesce(left_on, known_to_on) as lost_on,
    promoted_on,
    case when left_on is not null then 'left' when known_to_on is not null then 'role_ended' end
        as loss_type,
    first_level,
    last_level,
    is_champion,
    is_sponsor
from spells
