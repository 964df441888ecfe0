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
),

-- Salesforce also relates leads and users, whose ids begin otherwise.
contacts_of_either_crm as (
    select
        activity_id,
        contact_id
    from participants
    where contact_id like '003%'
    union all
    select
        engagement_id as activity_id,
        contact_id
    from {{ ref('stg_hubspot__engagement_contact') }}
    where not is_deleted
)

select distinct
    participants.activity_id,
    participants.contact_id
from contacts_of_either_crm as participants
inner join {{ ref('input_activities') }} as activities
    on participants.activity_id = activities.activity_id
