with participants as (
    select
        task_id as activity_id,
        who_id as contact_id
    from {{ ref('stg_salesforce__task') }}
    where not is_deleted
    union all
    select
        event_id as activity_id,
        who_id as contact_id
    from {{ ref('stg_salesforce__event') }}
    where not is_deleted
    union all
    select
        event_id as activity_id,
        relation_id as contact_id
    from {{ ref('stg_salesforce__event_relation') }}
    where not is_deleted
)

select distinct
    participants.activity_id,
    participants.contact_id
from participants
inner join {{ ref('input_activities') }} as activities
    on participants.activity_id = activities.activity_id
where participants.contact_id like '003%'
