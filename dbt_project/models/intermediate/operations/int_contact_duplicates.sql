{#
    A second record of a person at one account. The record of a person at the next employer is no
    duplicate: it tells where the person went.
#}
with

spells as (
    select
        person_id,
        contact_id,
        account_id,
        started_on,
        coalesce(ended_on, cast('9999-12-31' as date)) as open_until_on
    from {{ ref('int_person_employments') }}
),

-- A record that was merged away has no employment of its own left; it was where its account is.
merged_records as (
    select
        persons.person_id,
        contacts.contact_id,
        contacts.merged_into_contact_id as other_contact_id,
        contacts.created_at
    from {{ ref('input_contacts') }} as contacts
    inner join {{ ref('int_person_map') }} as persons on contacts.contact_id = persons.contact_id
    where contacts.merged_into_contact_id is not null
),

records as (
    select
        persons.contact_id,
        persons.person_id,
        contacts.created_at
    from {{ ref('int_person_map') }} as persons
    inner join {{ ref('input_contacts') }} as contacts on persons.contact_id = contacts.contact_id
    where persons.contact_records > 1
),

overlapping as (
    select distinct
        later.contact_id,
        first_value(earlier.contact_id) over (
            partition by later.contact_id order by earlier.created_at, earlier.contact_id
        ) as other_contact_id,
        later.created_at
    from records as later
    inner join records as earlier
        on
            later.person_id = earlier.person_id
            and (
                later.created_at > earlier.created_at
                or (
                    later.created_at = earlier.created_at
                    and later.contact_id > earlier.contact_id
                )
            )
    inner join spells as later_spells on later.contact_id = later_spells.contact_id
    inner join spells as earlier_spells
        on
            earlier.contact_id = earlier_spells.contact_id
            and later_spells.account_id = earlier_spells.account_id
            and later_spells.started_on <= earlier_spells.open_until_on
            and later_spells.open_until_on >= earlier_spells.started_on
)

select
    contact_id,
    other_contact_id,
    created_at,
    true as is_merged_by_crm
from merged_records
union all
select
    overlapping.contact_id,
    overlapping.other_contact_id,
    overlapping.created_at,
    false as is_merged_by_crm
from overlapping
left join merged_records on overlapping.contact_id = merged_records.contact_id
where merged_records.contact_id is null
