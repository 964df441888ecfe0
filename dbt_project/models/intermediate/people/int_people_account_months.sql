with

observations as (
    select
        account_id,
        observed_on,
        month_end_on,
        month_number
    from {{ ref('int_account_observations') }}
),

states as (
    select
        person_id,
        account_id,
        visible_from_on,
        visible_to_on,
        started_on,
        ended_on,
        champion_left_on,
        sponsor_left_on,
        level,
        is_gone,
        is_champion,
        is_sponsor,
        is_economic_buyer,
        has_been_champion,
        has_been_sponsor
    from {{ ref('int_person_states') }}
),

person_touches as (
    select
        touches.account_id,
        participants.person_id,
        touches.event_on,
        touches.visible_on,
        touches.employee_function,
        touches.is_two_way
    from {{ ref('int_touches') }} as touches
    inner join {{ ref('int_touch_people') }} as participants
        on touches.activity_id = participants.activity_id
    where touches.account_id is not null
),

person_firsts as (
    select
        account_id,
        person_id,
        min(case when is_two_way then visible_on end) as relationship_visible_on,
        min(case when employee_function = 'sales' then visible_on end) as sales_visible_on,
        min(case when employee_function <> 'sales' then visible_on end) as others_visible_on
    from person_touches
    group by account_id, person_id
),

-- Everybody who could be known by the observation, as what they could be known then.
people as (
    select
        observations.account_id,
        observations.observed_on,
        states.person_id,
        states.level,
        states.started_on,
        states.ended_on,
        states.champion_left_on,
        states.sponsor_left_on,
        states.is_gone,
        states.is_champion,
        states.is_sponsor,
        states.is_economic_buyer,
        states.has_been_champion,
        states.has_been_sponsor,
        coalesce(firsts.relationship_visible_on <= observations.observed_on, false) as is_related,
        {{ month_index('firsts.relationship_visible_on') }} = observations.month_number
        and firsts.relationship_visible_on <= observations.observed_on as is_new_relationship,
        coalesce(firsts.sales_visible_on <= observations.observed_on, false)
        and not coalesce(firsts.others_visible_on <= observations.observed_on, false)
            as is_known_by_sales_only,
        firsts.others_visible_on <= observations.observed_on as is_known_by_others
    from observations
    inner join states
        on
            observations.account_id = states.account_id
            and observations.observed_on >= states.visible_from_on
            and (
                states.visible_to_on is null
                or observations.observed_on < states.visible_to_on
            )
    left join person_firsts as firsts
        on
            states.account_id = firsts.account_id
            and states.person_id = firsts.person_id
),

counts as (
    select
        account_id,
        observed_on,
        count(*) as people_ever_known,
        count(case when not is_gone then 1 end) as contacts,
        count(case when not is_gone and level = 'end_user' then 1 end)
            as contacts_end_user,
        count(case when not is_gone and level = 'manager' then 1 end)
            as contacts_manager,
        count(case when not is_gone and level = 'director_plus' then 1 end)
            as contacts_director_plus,
        count(case when not is_gone and level is null then 1 end)
            as contacts_level_unknown,
        count(case when not is_gone and is_related then 1 end)
            as related_contacts,
        count(
            case
                when
                    not is_gone
                    and level = 'director_plus' and is_known_by_sales_only
                    then 1
            end
        ) as directors_known_by_sales_only,
        count(
            case
                when
                    not is_gone
                    and level = 'director_plus' and is_known_by_others
                    then 1
            end
        ) as directors_known_by_others,
        min(case when is_sponsor then started_on end) as sponsor_joined_on,
        min(case when not is_gone and level = 'director_plus' then started_on end)
            as director_joined_on,
        count(
            case
                when is_new_relationship and level = 'end_user' then 1
            end
        )
            as new_relationships_end_user,
        count(
            case when is_new_relationship and level = 'manager' then 1 end
        )
            as new_relationships_manager,
        count(
            case
                when
                    is_new_relationship and level = 'director_plus'
                    then 1
            end
        ) as new_relationships_director_plus,
        count(case when is_new_relationship then 1 end)
            as new_relationships,
        count(
            case
                when
                    is_gone
                    and {{ within_days('ended_on', 'observed_on', 365) }}
                    then 1
            end
        ) as contacts_departed_12m,
        count(
            case
                when
                    is_gone and level = 'director_plus'
                    and {{ within_days('ended_on', 'observed_on', 365) }}
                    then 1
            end
        ) as directors_departed_12m,
        count(
            case
                when
                    not is_gone and level = 'director_plus'
                    and {{ within_days('started_on', 'observed_on', 365) }}
                    then 1
            end
        ) as directors_joined_12m,
        max(case when has_been_champion then 1 else 0 end) as ever_champion,
        max(case when has_been_sponsor then 1 else 0 end) as ever_sponsor,
        max(case when is_champion then 1 else 0 end) as champion_in_place,
        max(case when is_sponsor then 1 else 0 end) as sponsor_in_place,
        max(case when is_economic_buyer then 1 else 0 end) as buyer_in_place,
        max(champion_left_on) as champion_left_on,
        max(sponsor_left_on) as sponsor_left_on
    from people
    group by account_id, observed_on
),

months_later as (
    {{ months_later(6) }}
),

active_people as (
    select
        observations.account_id,
        observations.observed_on,
        count(distinct person_touches.person_id) as people_in_touch_180d
    from person_touches
    cross join months_later
    inner join observations
        on
            person_touches.account_id = observations.account_id
            and {{ month_index('person_touches.event_on') }} + months_later.months_later
            = observations.month_number
    inner join states
        on
            person_touches.account_id = states.account_id
            and person_touches.person_id = states.person_id
            and observations.observed_on >= states.visible_from_on
            and (
                states.visible_to_on is null
                or observations.observed_on < states.visible_to_on
            )
    where
        person_touches.is_two_way
        and person_touches.visible_on <= observations.observed_on
        and {{ within_days('person_touches.event_on', 'observations.observed_on', 180) }}
        and not states.is_gone
    group by observations.account_id, observations.observed_on
),

-- "Nobody in touch" is known only where touches are recorded with their people.
-- Nobody of a level or role is a fact only where levels and roles are written down at all.
levels_recorded as (
    select
        count(level) > 0 as are_levels_recorded,
        count(roles) > 0 as are_roles_recorded
    from {{ ref('int_person_states') }}
),

coverage as (
    select min(visible_on) as recorded_from_on
    from person_touches
)

select
    observations.account_id,
    observations.observed_on,
    observations.month_end_on,
    case when counts.champion_in_place = 0 then counts.champion_left_on end as champion_lost_on,
    case when counts.sponsor_in_place = 0 then counts.sponsor_left_on end as sponsor_lost_on,
    counts.champion_left_on as last_champion_left_on,
    counts.sponsor_left_on as last_sponsor_left_on,
    counts.sponsor_joined_on,
    counts.director_joined_on,
    counts.contacts,
    case when levels_recorded.are_levels_recorded then counts.contacts_end_user end
        as contacts_end_user,
    case when levels_recorded.are_levels_recorded then counts.contacts_manager end
        as contacts_manager,
    case when levels_recorded.are_levels_recorded then counts.contacts_director_plus end
        as contacts_director_plus,
    counts.contacts_level_unknown,
    counts.related_contacts,
    case when levels_recorded.are_levels_recorded then counts.directors_known_by_sales_only end
        as directors_known_by_sales_only,
    case when levels_recorded.are_levels_recorded then counts.directors_known_by_others end
        as directors_known_by_others,
    counts.new_relationships,
    case when levels_recorded.are_levels_recorded then counts.new_relationships_end_user end
        as new_relationships_end_user,
    case when levels_recorded.are_levels_recorded then counts.new_relationships_manager end
        as new_relationships_manager,
    case when levels_recorded.are_levels_recorded then counts.new_relationships_director_plus end
        as new_relationships_director_plus,
    counts.contacts_departed_12m,
    case when levels_recorded.are_levels_recorded then counts.directors_departed_12m end
        as directors_departed_12m,
    case when levels_recorded.are_levels_recorded then counts.directors_joined_12m end
        as directors_joined_12m,
    case
        when counts.account_id is not null and observations.observed_on >= coverage.recorded_from_on
            then coalesce(active_people.people_in_touch_180d, 0)
    end as people_in_touch_180d,
    {{ stable(
        'case when counts.contacts_end_user + counts.contacts_manager'
        ~ ' + counts.contacts_director_plus > 0'
        ~ ' then 1.0 - ('
        ~ 'power(counts.contacts_end_user, 2) + power(counts.contacts_manager, 2)'
        ~ ' + power(counts.contacts_director_plus, 2)) / power('
        ~ 'counts.contacts_end_user + counts.contacts_manager'
        ~ ' + counts.contacts_director_plus, 2) end'
    ) }} as level_diversity,
    -- Never having named a champion is not knowing, which is different from having none left.
    case when counts.ever_champion = 1 then counts.champion_in_place = 1 end as has_champion,
    case when counts.ever_sponsor = 1 then counts.sponsor_in_place = 1 end as has_sponsor,
    case
        when counts.people_ever_known > 0 and levels_recorded.are_levels_recorded
            then counts.contacts_director_plus > 0
    end as has_director_plus_contact,
    case when levels_recorded.are_roles_recorded then counts.buyer_in_place = 1 end
        as has_economic_buyer,
    case
        when counts.ever_champion = 1 or counts.ever_sponsor = 1
            then coalesce(
                    counts.champion_in_place = 0
                    and {{ within_days(
                        'counts.champion_left_on', 'observations.observed_on', 365
                    ) }},
                    false
                )
                or coalesce(
                    counts.sponsor_in_place = 0
                    and {{ within_days(
                        'counts.sponsor_left_on', 'observations.observed_on', 365
                    ) }},
                    false
                )
    end as is_champion_or_sponsor_gone,
    case
        when counts.account_id is not null and observations.observed_on >= coverage.recorded_from_on
            then coalesce(active_people.people_in_touch_180d, 0) < 2
    end as is_single_threaded
from observations
cross join coverage
cross join levels_recorded
left join counts
    on
        observations.account_id = counts.account_id
        and observations.observed_on = counts.observed_on
left join active_people
    on
        observations.account_id = active_people.account_id
        and observations.observed_on = active_people.observed_on
