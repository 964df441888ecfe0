{#
    A label travels one link a round; eight rounds join chains of eight records, far beyond what
    people leave behind.
#}
{% set rounds = 8 %}

with

contacts as (
    select
        contact_id,
        merged_into_contact_id,
        former_contact_id,
        lower(trim(email)) as email_key,
        created_at
    from {{ ref('input_contacts') }}
),

email_heads as (
    select
        email_key,
        min(contact_id) as contact_id
    from contacts
    where email_key like '%@%'
    group by email_key
),

one_way_links as (
    select
        contact_id,
        merged_into_contact_id as other_id
    from contacts
    where merged_into_contact_id is not null
    union
    select
        contact_id,
        former_contact_id as other_id
    from contacts
    where former_contact_id is not null
    union
    select
        contacts.contact_id,
        email_heads.contact_id as other_id
    from contacts
    inner join email_heads on contacts.email_key = email_heads.email_key
    where contacts.contact_id <> email_heads.contact_id
),

-- A link to a record that was never landed joins nothing.
links as (
    select
        one_way_links.contact_id,
        one_way_links.other_id
    from one_way_links
    inner join contacts on one_way_links.other_id = contacts.contact_id
    union
    select
        one_way_links.other_id as contact_id,
        one_way_links.contact_id as other_id
    from one_way_links
    inner join contacts on one_way_links.other_id = contacts.contact_id
    union
    select
        contact_id,
        contact_id as other_id
    from contacts
),

label_0 as (
    select
        contact_id,
        min(other_id) as label
    from links
    group by contact_id
),

{% for round in range(1, rounds + 1) %}
    label_{{ round }} as (
        select
            links.contact_id,
            min(labels.label) as label
        from links
        inner join label_{{ round - 1 }} as labels on links.other_id = labels.contact_id
        group by links.contact_id
    ),

{% endfor %}
-- The oldest record gives the person's id: it stays when newer records are found to be the same
-- human.
persons as (
    select
        labels.contact_id,
        first_value(contacts.contact_id) over (
            partition by labels.label
            order by contacts.created_at, contacts.contact_id
        ) as person_id,
        count(*) over (partition by labels.label) as contact_records
    from label_{{ rounds }} as labels
    inner join contacts on labels.contact_id = contacts.contact_id
)

select
    contact_id,
    person_id,
    contact_records
from persons
