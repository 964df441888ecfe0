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
),

-- A record that changes its account on the day it leaves one that is the same today went nowhere.
departures as (
    select
        ended.person_id,
        ended.account_id,
        ended.contact_id,
        ended.ended_on,
        ended.end_known_on
    from person_spells as ended
    left join person_spells as continued
        on
            ended.contact_id = continued.contact_id
            and ended.account_id = continued.account_id
            and ended.ended_on = continued.started_on
    where ended.ended_on is not null and continued.contact_id is null
),

-- Whoever leaves has left every record of theirs: a duplicate that nobody told of it ends as well.
ends_told as (
    select
        open_spells.contact_id,
        open_spells.account_id,
        open_spells.started_on,
        departures.ended_on,
        departures.end_known_on,
        row_number() over (
            partition by open_spells.contact_id, open_spells.account_id, open_spells.started_on
            order by departures.ended_on, departures.end_known_on, departures.contact_id
        ) as end_rank
    from person_spells as open_spells
    inner join departures
        on
            open_spells.person_id = departures.person_id
            and open_spells.account_id = departures.account_id
            and open_spells.contact_id <> departures.contact_id
            and open_spells.started_on < departures.ended_on
    where open_spells.ended_on is null
),

ended_spells as (
    select
        person_spells.person_id,
        person_spells.account_id,
        person_spells.contact_id,
        person_spells.level,
        person_spells.roles,
        person_spells.started_on,
        person_spells.start_known_on,
        coalesce(person_spells.ended_on, ends_told.ended_on) as ended_on,
        case
            when person_spells.ended_on is null then ends_told.end_known_on
            else person_spells.end_known_on
        end as end_known_on
    from person_spells
    left join ends_told
        on
            person_spells.contact_id = ends_told.contact_id
            and person_spells.account_id = ends_told.account_id
            and person_spells.started_on = ends_told.started_on
            and ends_told.end_rank = 1
)

select
    person_id,
    account_id,
    contact_id,
    started_on,
    ended_on,
    greatest(started_on, start_known_on) as start_visible_on,
    case
        when ended_on is not null
            then
                greatest(
                    ended_on, coalesce(end_known_on, ended_on), greatest(started_on, start_known_on)
                )
    end as end_visible_on,
    level,
    roles
from ended_spells
