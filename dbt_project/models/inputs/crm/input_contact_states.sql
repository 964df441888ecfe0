with versions as (
    {{ of_either_crm('contact_versions', 'contact_versions', [
        'contact_id', 'created_at', 'title', 'level', 'roles', 'version_at', 'is_known_version',
    ]) }}
),

first_versions as (
    select
        contact_id,
        created_at,
        title,
        level,
        roles,
        row_number() over (partition by contact_id order by version_at) as version_number
    from versions
),

changes_of_either_crm as (
    select
        contact_id,
        change_id,
        case field when 'Title' then 'title' when 'Level__c' then 'level' else 'roles' end as field,
        old_value,
        new_value,
        created_at
    from {{ ref('stg_salesforce__contact_history') }}
    where field in ('Title', 'Level__c', 'Roles__c')
    union all
    select
        record_id as contact_id,
        change_id,
        case property when 'jobtitle' then 'title' else property end as field,
        old_value,
        new_value,
        created_at
    from {{ ref('stg_hubspot__property_change') }}
    where object_type = 'contact' and property in ('jobtitle', 'level', 'roles')
),

changes as (
    select
        contact_id,
        change_id,
        field,
        old_value,
        new_value,
        created_at as changed_at,
        row_number() over (
            partition by contact_id, field order by created_at, change_id
        ) as change_number
    from changes_of_either_crm
),

-- Before the first change ever a field held that change's old value; without any change it held
-- what the earliest version says.
beginnings as (
    select
        first_versions.contact_id,
        first_versions.created_at as seen_at,
        case when titles.contact_id is null then first_versions.title else titles.old_value end
            as title,
        case when levels.contact_id is null then first_versions.level else levels.old_value end
            as level,
        case when roles.contact_id is null then first_versions.roles else roles.old_value end
            as roles
    from first_versions
    left join changes as titles
        on
            first_versions.contact_id = titles.contact_id
            and titles.field = 'title'
            and titles.change_number = 1
    left join changes as levels
        on
            first_versions.contact_id = levels.contact_id
            and levels.field = 'level'
            and levels.change_number = 1
    left join changes as roles
        on
            first_versions.contact_id = roles.contact_id
            and roles.field = 'roles'
            and roles.change_number = 1
    where first_versions.version_number = 1
),

-- A version holds what its own second changed, so it comes last within it.
sightings as (
    select
        contact_id,
        seen_at,
        0 as sighting_order,
        '' as change_id,
        title,
        level,
        roles,
        1 as title_count,
        1 as level_count,
        1 as roles_count
    from beginnings
    union all
    select
        contact_id,
        changed_at as seen_at,
        1 as sighting_order,
        change_id,
        case when field = 'title' then new_value end as title,
        case when field = 'level' then new_value end as level,
        case when field = 'roles' then new_value end as roles,
        case when field = 'title' then 1 else 0 end as title_count,
        case when field = 'level' then 1 else 0 end as level_count,
        case when field = 'roles' then 1 else 0 end as roles_count
    from changes
    where changed_at < {{ as_of_end() }}
    union all
    select
        contact_id,
        version_at as seen_at,
        2 as sighting_order,
        '' as change_id,
        title,
        level,
        roles,
        1 as title_count,
        1 as level_count,
        1 as roles_count
    from versions
    where is_known_version
),

-- A sighting tells one field or all of them: the others are carried on from the sighting before.
counted as (
    select
        contact_id,
        seen_at,
        title,
        level,
        roles,
        row_number() over (
            partition by contact_id order by seen_at, sighting_order, change_id
        ) as sighting_number,
        sum(title_count) over (
            partition by contact_id
            order by seen_at, sighting_order, change_id
            rows unbounded preceding
        ) as title_number,
        sum(level_count) over (
            partition by contact_id
            order by seen_at, sighting_order, change_id
            rows unbounded preceding
        ) as level_number,
        sum(roles_count) over (
            partition by contact_id
            order by seen_at, sighting_order, change_id
            rows unbounded preceding
        ) as roles_number
    from sightings
),

carried as (
    select
        contact_id,
        seen_at,
        max(title) over (partition by contact_id, title_number) as title,
        lower(max(level) over (partition by contact_id, level_number)) as level,
        lower(nullif(trim(max(roles) over (partition by contact_id, roles_number)), '')) as roles,
        row_number() over (
            partition by contact_id, seen_at order by sighting_number desc
        ) as newest_rank
    from counted
),

compared as (
    select
        contact_id,
        seen_at,
        title,
        level,
        roles,
        row_number() over (partition by contact_id order by seen_at) as state_number,
        lag(title) over (partition by contact_id order by seen_at) as title_before,
        lag(level) over (partition by contact_id order by seen_at) as level_before,
        lag(roles) over (partition by contact_id order by seen_at) as roles_before
    from carried
    where newest_rank = 1
)

select
    contact_id,
    title,
    level,
    roles,
    seen_at as valid_from,
    lead(seen_at) over (partition by contact_id order by seen_at) as valid_to,
    seen_at as known_at
from compared
where
    state_number = 1
    or title is distinct from title_before
    or level is distinct from level_before
    or roles is distinct from roles_before
