with

contacts as (
    select
        contact_id,
        created_at
    from {{ ref('input_contacts') }}
),

pairs as (
    select
        contact_id,
        other_contact_id
    from {{ ref('int_contact_pairs') }}
    where decision = 'accepted'
),

links as (
    select
        contact_id as member,
        other_contact_id as other_member
    from pairs
    union
    select
        other_contact_id as member,
        contact_id as other_member
    from pairs
    union
    select
        contact_id as member,
        contact_id as other_member
    from contacts
),

{{ components('people', 'links') }}

-- The oldest record gives the person's id: it stays when newer records are found to be the same
-- human.
select
    people.member as contact_id,
    first_value(contacts.contact_id) over (
        partition by people.label
        order by contacts.created_at, contacts.contact_id
    ) as person_id,
    count(*) over (partition by people.label) as contact_records
from people
inner join contacts on people.member = contacts.contact_id
