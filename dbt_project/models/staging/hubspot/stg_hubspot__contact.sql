with versions as (
    {{ newest_known('hubspot', 'contact', key=['id'], created='created_at') }}
),

mergers as (
    select
        losing_id,
        surviving_id,
        merged_at
    from {{ ref('stg_hubspot__merge') }}
    where object_type = 'contact'
),

landed as (
    select
        versions.id as contact_id,
        (coalesce(versions.is_deleted, false) and versions._was_known)
        or coalesce(mergers.merged_at < {{ as_of_end() }}, false) as is_deleted,
        versions.created_at,
        versions.updated_at as modified_at,
        versions.company_id as account_id,
        versions.first_name,
        versions.last_name,
        versions.email,
        versions.title,
        versions.level,
        versions.roles,
        versions.consent_basis,
        versions.departure_terms,
        versions.left_on,
        versions.former_contact_id,
        versions.has_opted_out_of_email as is_email_opted_out,
        case
            when mergers.merged_at < {{ as_of_end() }} then mergers.surviving_id
        end as merged_into_contact_id,
        versions._version_at as version_at,
        versions._was_known as is_known_version
    from versions
    left join mergers on versions.id = mergers.losing_id
),

ever_landed as (
    select distinct id as contact_id
    from ({{ of_finished_loads('hubspot', 'contact') }}) as contacts
),

-- Merged away before the first load: nothing but the id is left, and other systems may know it.
unseen as (
    select
        mergers.losing_id as contact_id,
        mergers.surviving_id,
        mergers.merged_at,
        coalesce(survivors.created_at, mergers.merged_at) as created_at
    from mergers
    left join versions as survivors on mergers.surviving_id = survivors.id
    left join ever_landed on mergers.losing_id = ever_landed.contact_id
    where ever_landed.contact_id is null
)

select * from landed
union all
select
    contact_id,
    merged_at < {{ as_of_end() }} as is_deleted,
    created_at,
    merged_at as modified_at,
    cast(null as varchar) as account_id,
    cast(null as varchar) as first_name,
    cast(null as varchar) as last_name,
    cast(null as varchar) as email,
    cast(null as varchar) as title,
    cast(null as varchar) as level,
    cast(null as varchar) as roles,
    cast(null as varchar) as consent_basis,
    cast(null as varchar) as departure_terms,
    cast(null as date) as left_on,
    cast(null as varchar) as former_contact_id,
    cast(null as boolean) as is_email_opted_out,
    -- That they became one tells of the time before as well: they were the same person.
    surviving_id as merged_into_contact_id,
    merged_at as version_at,
    true as is_known_version
from unseen
where created_at < {{ as_of_end() }}
