with versions as (
    {{ newest_known('hubspot', 'company', key=['id'], created='created_at') }}
),

mergers as (
    select
        losing_id,
        surviving_id,
        merged_at
    from {{ ref('stg_hubspot__merge') }}
    where object_type = 'company'
),

landed as (
    select
        versions.id as account_id,
        (coalesce(versions.is_deleted, false) and versions._was_known)
        or coalesce(mergers.merged_at < {{ as_of_end() }}, false) as is_deleted,
        versions.created_at,
        versions.updated_at as modified_at,
        versions.name,
        versions.type as account_type,
        versions.industry,
        versions.country as billing_country,
        versions.number_of_employees,
        case when versions.domain is not null then 'https://www.' || versions.domain end as website,
        versions.owner_id,
        versions.parent_company_id as parent_id,
        mergers.surviving_id as merged_into_account_id,
        versions.segment,
        versions.region,
        versions.acquisition_origin,
        versions.stripe_customer_id,
        versions.workspace_id,
        versions.is_test,
        versions.displaced_competitor,
        versions._version_at as version_at,
        versions._was_known as is_known_version
    from versions
    left join mergers on versions.id = mergers.losing_id
),

ever_landed as (
    select distinct id as account_id
    from ({{ of_finished_loads('hubspot', 'company') }}) as companies
),

-- Merged away before the first load: nothing but the id is left, and other systems may know it.
unseen as (
    select
        mergers.losing_id as account_id,
        mergers.surviving_id,
        mergers.merged_at,
        coalesce(survivors.created_at, mergers.merged_at) as created_at
    from mergers
    left join versions as survivors on mergers.surviving_id = survivors.id
    left join ever_landed on mergers.losing_id = ever_landed.account_id
    where ever_landed.account_id is null
)

select * from landed
union all
select
    account_id,
    merged_at < {{ as_of_end() }} as is_deleted,
    created_at,
    merged_at as modified_at,
    cast(null as varchar) as name,
    cast(null as varchar) as account_type,
    cast(null as varchar) as industry,
    cast(null as varchar) as billing_country,
    cast(null as bigint) as number_of_employees,
    cast(null as varchar) as website,
    cast(null as varchar) as owner_id,
    cast(null as varchar) as parent_id,
    surviving_id as merged_into_account_id,
    cast(null as varchar) as segment,
    cast(null as varchar) as region,
    cast(null as varchar) as acquisition_origin,
    cast(null as varchar) as stripe_customer_id,
    cast(null as varchar) as workspace_id,
    cast(null as boolean) as is_test,
    cast(null as varchar) as displaced_competitor,
    merged_at as version_at,
    true as is_known_version
from unseen
where created_at < {{ as_of_end() }}
