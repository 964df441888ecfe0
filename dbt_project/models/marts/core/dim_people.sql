with

contacts as (
    select
        persons.person_id,
        contacts.contact_id,
        contacts.first_name,
        contacts.last_name,
        contacts.email,
        contacts.title,
        contacts.level,
        contacts.roles,
        contacts.consent_basis,
        contacts.departure_terms,
        contacts.is_email_opted_out,
        contacts.created_at,
        persons.contact_records,
        row_number() over (
            partition by persons.person_id
            order by
                contacts.is_deleted asc,
                case when contacts.merged_into_contact_id is null then 0 else 1 end,
                contacts.created_at desc,
                contacts.contact_id asc
        ) as newest_rank
    from {{ ref('input_contacts') }} as contacts
    inner join {{ ref('int_person_map') }} as persons on contacts.contact_id = persons.contact_id
),

spells as (
    select
        person_id,
        account_id,
        started_on,
        ended_on,
        level,
        roles,
        is_champion,
        row_number() over (
            partition by person_id
            order by case when ended_on is null then 0 else 1 end, started_on desc, account_id asc
        ) as newest_rank,
        count(*) over (partition by person_id) as spell_count
    from {{ ref('int_person_spells') }}
),

-- Opting out once is opting out, and bad terms anywhere are not forgotten because a newer record
-- says nothing.
consents as (
    select
        person_id,
        min(created_at) as first_known_at,
        max(case when is_email_opted_out then 1 else 0 end) as opted_out,
        max(case when departure_terms = 'bad' then 1 else 0 end) as left_badly,
        max(departure_terms) as any_departure_terms
    from contacts
    group by person_id
),

customer_people as (
    select
        contacts.person_id,
        case when spells.ended_on is null then spells.account_id end as current_account_id,
        spells.account_id as last_account_id,
        spells.ended_on as left_on,
        cast(consents.first_known_at as date) as first_known_on,
        case
            when spells.account_id is not null and spells.ended_on is null then 'customer_contact'
            else 'ex_customer'
        end as person_type,
        contacts.first_name,
        contacts.last_name,
        contacts.email,
        contacts.title,
        coalesce(spells.level, contacts.level) as level,
        coalesce(spells.roles, contacts.roles) as roles,
        contacts.consent_basis,
        case when consents.left_badly = 1 then 'bad' else consents.any_departure_terms end
            as departure_terms,
        contacts.contact_records,
        coalesce(spells.spell_count, 0) as spell_count,
        consents.opted_out = 1 as is_email_opted_out
    from contacts
    inner join consents on contacts.person_id = consents.person_id
    left join spells on contacts.person_id = spells.person_id and spells.newest_rank = 1
    where contacts.newest_rank = 1
),

employees as (
    select
        employees.employee_id as person_id,
        case when employees.left_on is not null then destinations.account_id end
            as current_account_id,
        cast(null as {{ dbt.type_string() }}) as last_account_id,
        employees.left_on,
        employees.hired_on as first_known_on,
        case when employees.left_on is null then 'employee' else 'ex_employee' end as person_type,
        employees.full_name,
        employees.email,
        employees.title
    from {{ ref('input_employees') }} as employees
    left join {{ ref('int_account_map') }} as destinations
        on employees.destination_account_id = destinations.source_account_id
),

-- Somebody erased stays a person without a name: the pseudonym in the inputs says nothing.
shown_people as (
    select
        *,
        coalesce(email like '%@erased.invalid', false) as is_erased
    from customer_people
)

select
    person_id,
    current_account_id,
    last_account_id,
    first_known_on,
    left_on,
    person_type,
    case
        when not is_erased
            then trim(coalesce(first_name, '') || ' ' || coalesce(last_name, ''))
    end as full_name,
    case when not is_erased then first_name end as first_name,
    case when not is_erased then last_name end as last_name,
    case when not is_erased then email end as email,
    title,
    level,
    roles,
    consent_basis,
    departure_terms,
    cast(contact_records as bigint) as contact_records,
    cast(spell_count as bigint) as spell_count,
    is_email_opted_out
from shown_people
union all
select
    person_id,
    current_account_id,
    last_account_id,
    first_known_on,
    left_on,
    person_type,
    full_name,
    cast(null as {{ dbt.type_string() }}) as first_name,
    cast(null as {{ dbt.type_string() }}) as last_name,
    email,
    title,
    cast(null as {{ dbt.type_string() }}) as level,
    cast(null as {{ dbt.type_string() }}) as roles,
    cast(null as {{ dbt.type_string() }}) as consent_basis,
    cast(null as {{ dbt.type_string() }}) as departure_terms,
    cast(0 as bigint) as contact_records,
    cast(0 as bigint) as spell_count,
    false as is_email_opted_out
from employees
