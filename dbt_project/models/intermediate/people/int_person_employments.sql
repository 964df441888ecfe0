with

contacts as (
    select
        contact_id,
        account_id,
        level,
        roles,
        cast(created_at as date) as created_on,
        is_deleted,
        merged_into_contact_id
    from {{ ref('input_contacts') }}
),

employments as (
    select
        employments.contact_id,
        employments.account_id,
        employments.level,
        employments.roles,
        employments.started_on,
        employments.ended_on,
        cast(employments.known_at as date) as start_known_on,
        cast(employments.end_known_at as date) as end_known_on
    from {{ ref('input_employments') }} as employments
),

-- A contact without any employment is taken to work where the CRM files it, since it was created.
contacts_without_spell as (
    select
        contacts.contact_id,
        contacts.account_id,
        contacts.level,
        contacts.roles,
        contacts.created_on as started_on,
        cast(null as date) as ended_on,
        contacts.created_on as start_known_on,
        cast(null as date) as end_known_on
    from contacts
    left join employments on contacts.contact_id = employments.contact_id
    where
        employments.contact_id is null
        and contacts.account_id is not null
        and not contacts.is_deleted
        and contacts.merged_into_contact_id is null
),

spells as (
    select
        contact_id,
        account_id,
        level,
        roles,
        started_on,
        ended_on,
        start_known_on,
        end_known_on
    from employments
    union all
    select
        contact_id,
        account_id,
        level,
        roles,
        started_on,
        ended_on,
        start_known_on,
        end_known_on
    from contacts_without_spell
),

person_spells as (
    select
        persons.person_id,
        accounts.account_id,
        spells.contact_id,
        spells.level,
        spells.roles,
        spells.started_on,
        spells.ended_on,
        spells.start_known_on,
        spells.end_known_on
    from spells
    inner join {{ ref('int_person_map') }} as persons on spells.contact_id = persons.contact_id
    inner join {{ ref('int_account_map') }} as accounts
        on spells.account_id = accounts.source_account_id
    where not accounts.is_test
)

select
    person_id,
    account_id,
    contact_id,
    started_on,
    ended_on,
    greatest(started_on, start_known_on) as start_visible_on,
    case when ended_on is not null then greatest(ended_on, coalesce(end_known_on, ended_on)) end
        as end_visible_on,
    level,
    roles
from person_spells
