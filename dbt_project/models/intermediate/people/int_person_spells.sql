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
        spells.end_known_on,
        coalesce(spells.ended_on, cast('9999-12-31' as date)) as open_until_on
    from spells
    inner join {{ ref('int_person_map') }} as persons on spells.contact_id = persons.contact_id
    inner join {{ ref('int_account_map') }} as accounts
        on spells.account_id = accounts.source_account_id
    where not accounts.is_test
),

-- Duplicate records of one person at one account, or accounts merged, leave spells that overlap:
-- they are one.
reaches as (
    select
        *,
        max(open_until_on) over (
            partition by person_id, account_id
            order by started_on, contact_id
            rows between unbounded preceding and 1 preceding
        ) as reached_on
    from person_spells
),

numbered as (
    select
        *,
        sum(case when reached_on >= started_on then 0 else 1 end) over (
            partition by person_id, account_id
            order by started_on, contact_id
            rows unbounded preceding
        ) as spell_number
    from reaches
),

ranked as (
    select
        *,
        row_number() over (
            partition by person_id, account_id, spell_number
            order by open_until_on desc, started_on desc, contact_id desc
        ) as newest_rank
    from numbered
),

joined_spells as (
    select
        person_id,
        account_id,
        spell_number,
        min(started_on) as started_on,
        min(start_known_on) as start_known_on,
        max(case when newest_rank = 1 then contact_id end) as contact_id,
        max(case when newest_rank = 1 then level end) as level,
        max(case when newest_rank = 1 then roles end) as roles,
        max(case when newest_rank = 1 then ended_on end) as ended_on,
        max(case when newest_rank = 1 then end_known_on end) as end_known_on
    from ranked
    group by person_id, account_id, spell_number
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
    roles,
    coalesce({{ has_role('roles', 'champion') }}, false) as is_champion,
    coalesce({{ has_role('roles', 'sponsor') }}, false) as is_sponsor,
    coalesce({{ has_role('roles', 'economic_buyer') }}, false) as is_economic_buyer
from joined_spells
