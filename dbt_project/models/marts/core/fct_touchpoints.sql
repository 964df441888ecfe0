select
    touches.activity_id,
    touches.account_id,
    touches.opportunity_id,
    touches.employee_id,
    touches.event_on,
    touches.acknowledged_on,
    touches.event_at,
    touches.known_at,
    touches.activity_type as touch_type,
    touches.employee_function,
    touches.highest_level_reached,
    touches.duration_minutes,
    cast(touches.people_reached as bigint) as people_reached,
    touches.is_two_way,
    touches.has_director_plus
from {{ ref('int_touches') }} as touches
