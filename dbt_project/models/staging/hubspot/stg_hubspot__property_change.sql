-- HubSpot keeps values with the instant each came; a change is two of them that follow each other.
-- Changes after the as-of date are kept: their old value is what was true as of then.
with company_values as (
    {{ newest_known('hubspot', 'company_history', key=['id']) }}
),

contact_values as (
    {{ newest_known('hubspot', 'contact_history', key=['id']) }}
),

deal_values as (
    {{ newest_known('hubspot', 'deal_history', key=['id']) }}
),

born as (
    select
        'company' as object_type,
        id as record_id,
        min(created_at) as created_at
    from ({{ of_finished_loads('hubspot', 'company') }}) as companies
    group by id
    union all
    select
        'contact' as object_type,
        id as record_id,
        min(created_at) as created_at
    from ({{ of_finished_loads('hubspot', 'contact') }}) as contacts
    group by id
    union all
    select
        'deal' as object_type,
        id as record_id,
        min(created_at) as created_at
    from ({{ of_finished_loads('hubspot', 'deal') }}) as deals
    group by id
),

all_values as (
    select
        'company' as object_type,
        id,
        company_id as record_id,
        property,
        value,
        created_at
    from company_values
    union all
    select
        'contact' as object_type,
        id,
        contact_id as record_id,
        property,
        value,
        created_at
    from contact_values
    union all
    select
        'deal' as object_type,
        id,
        deal_id as record_id,
        property,
        value,
        created_at
    from deal_values
),

following as (
    select
        object_type,
        id as change_id,
        record_id,
        property,
        lag(value) over (
            partition by object_type, record_id, property order by created_at, id
        ) as old_value,
        value as new_value,
        created_at,
        row_number() over (
            partition by object_type, record_id, property order by created_at, id
        ) as value_number
    from all_values
)

-- What a record was created with is its first value, not a change.
select
    following.change_id,
    following.object_type,
    following.record_id,
    following.property,
    following.old_value,
    following.new_value,
    following.created_at
from following
left join born
    on following.object_type = born.object_type and following.record_id = born.record_id
where
    following.value_number > 1
    or following.created_at > born.created_at
