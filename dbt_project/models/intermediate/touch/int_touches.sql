with

activities as (
    select
        activities.activity_id,
        accounts.account_id,
        activities.opportunity_id,
        activities.employee_id,
        activities.activity_type,
        activities.event_at,
        activities.known_at,
        cast(activities.event_at as date) as event_on,
        {{ visible_on('activities.event_at', 'activities.known_at') }} as visible_on,
        activities.duration_minutes,
        activities.is_two_way,
        activities.acknowledged_on
    from {{ ref('input_activities') }} as activities
    left join {{ ref('int_account_map') }} as accounts
        on activities.account_id = accounts.source_account_id
    where
        -- A meeting planned for next week has not touched anybody.
        activities.event_at < {{ as_of_end() }}
        and activities.known_at < {{ as_of_end() }}
        and not coalesce(accounts.is_test, false)
),

participants as (
    select
        activity_id,
        person_id
    from {{ ref('int_touch_people') }}
),

people_recorded as (
    select count(*) > 0 as is_recorded
    from participants
),

-- The level a person was known to have when the touch became known, at this account or else at
-- whichever was the newest.
participant_states as (
    select
        participants.activity_id,
        participants.person_id,
        states.level,
        row_number() over (
            partition by participants.activity_id, participants.person_id
            order by
                case when states.account_id = activities.account_id then 0 else 1 end,
                states.started_on desc,
                states.account_id asc
        ) as newest_rank
    from participants
    inner join activities on participants.activity_id = activities.activity_id
    inner join {{ ref('int_person_states') }} as states
        on
            participants.person_id = states.person_id
            and activities.visible_on >= states.visible_from_on
            and (states.visible_to_on is null or activities.visible_on < states.visible_to_on)
),

reached as (
    select
        participants.activity_id,
        count(*) as people_reached,
        max(case when states.level = 'director_plus' then 1 else 0 end) as reached_director_plus,
        max(case when states.level = 'manager' then 1 else 0 end) as reached_manager,
        max(case when states.level = 'end_user' then 1 else 0 end) as reached_end_user,
        max(case when states.level is not null then 1 else 0 end) as reached_known_level
    from participants
    left join participant_states as states
        on
            participants.activity_id = states.activity_id
            and participants.person_id = states.person_id
            and states.newest_rank = 1
    group by participants.activity_id
)

select
    activities.activity_id,
    activities.account_id,
    activities.opportunity_id,
    activities.employee_id,
    activities.event_on,
    activities.visible_on,
    activities.acknowledged_on,
    activities.event_at,
    activities.known_at,
    activities.activity_type,
    employees.function as employee_function,
    case
        when reached.reached_director_plus = 1 then 'director_plus'
        when reached.reached_manager = 1 then 'manager'
        when reached.reached_end_user = 1 then 'end_user'
    end as highest_level_reached,
    activities.duration_minutes,
    case when people_recorded.is_recorded then coalesce(reached.people_reached, 0) end
        as people_reached,
    activities.is_two_way,
    case
        when reached.reached_known_level = 1 then reached.reached_director_plus = 1
    end as has_director_plus
from activities
cross join people_recorded
left join reached on activities.activity_id = reached.activity_id
left join {{ ref('input_employees') }} as employees
    on activities.employee_id = employees.employee_id
