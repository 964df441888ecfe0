select distinct
    participants.activity_id,
    persons.person_id
from {{ ref('input_activity_participants') }} as participants
inner join {{ ref('int_person_map') }} as persons
    on participants.contact_id = persons.contact_id
