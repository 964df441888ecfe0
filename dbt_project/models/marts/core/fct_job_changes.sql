with

levels as (
    select
        'end_user' as level,
        1 as level_rank
    union all
    select
        'manager' as level,
        2 as level_rank
    union all
    select
        'director_plus' as level,
        3 as level_rank
),

spells as (
    select
        spells.person_id,
        spells.account_id,
        spells.started_on,
        spells.ended_on,
        spells.start_visible_on,
        spells.end_visible_on,
        spells.level,
        levels.level_rank,
        spells.is_champion,
        spells.is_sponsor,
        lead(spells.account_id) over (
            partition by spells.person_id order by spells.started_on, spells.account_id
        ) as next_account_id,
        lead(spells.started_on) over (
            partition by spells.person_id order by spells.started_on, spells.account_id
        ) as next_started_on,
        lead(spells.start_visible_on) over (
            partition by spells.person_id order by spells.started_on, spells.account_id
        ) as next_visible_on,
        lead(spells.level) over (
            partition by spells.person_id order by spells.started_on, spells.account_id
        ) as next_level
    from {{ ref('int_person_spells') }} as spells
    left join levels on spells.level = levels.level
),

-- A spell that ended is a change even before anybody knows where the person went.
changes as (
    select
        spells.person_id,
        spells.account_id as from_account_id,
        spells.next_account_id as to_account_id,
        spells.started_on as old_spell_started_on,
        coalesce(spells.ended_on, spells.next_started_on) as changed_on,
        spells.next_started_on as joined_on,
        least(
            coalesce(spells.end_visible_on, spells.next_visible_on),
            coalesce(spells.next_visible_on, spells.end_visible_on)
        ) as known_on,
        spells.level as old_level,
        spells.next_level as new_level,
        next_levels.level_rank - spells.level_rank as level_delta,
        spells.is_champion,
        spells.is_sponsor
    from spells
    left join levels as next_levels on spells.next_level = next_levels.level
    where spells.ended_on is not null or spells.next_account_id is not null
)

select
    person_id
    || '-'
    || from_account_id
    || '-'
    || cast(old_spell_started_on as {{ dbt.type_string() }})
        as job_change_id,
    person_id,
    from_account_id,
    to_account_id,
    changed_on,
    joined_on,
    known_on,
    case
        when to_account_id is null then 'left'
        when level_delta > 0 then 'promotion'
        when level_delta < 0 then 'step_down'
        when level_delta = 0 then 'lateral'
        else 'moved'
    end as change_type,
    old_level,
    new_level,
    cast(level_delta as bigint) as level_delta,
    level_delta > 0 as is_promotion,
    level_delta >= 0 as is_same_or_senior,
    is_champion as was_champion,
    is_sponsor as was_sponsor,
    coalesce(to_account_id <> from_account_id, true) as is_departure
from changes
