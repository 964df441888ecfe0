with versions as (
    {{ newest_known('hubspot', 'deal', key=['id'], created='created_at') }}
),

entries as (
    select
        id as opportunity_id,
        coalesce(is_deleted, false) and _was_known as is_deleted,
        {{ each_json_object('contacts') }} as entry
    from versions
    where contacts is not null
),

labels as (
    select
        opportunity_id,
        is_deleted,
        {{ json_text('entry', 'id') }} as contact_id,
        {{ json_text('entry', 'label') }} as label
    from entries
),

-- A label says the part played, another one that the contact is the main one.
parts as (
    select
        opportunity_id,
        contact_id,
        is_deleted,
        case when lower(label) not in ('primary', 'primary contact') then label end as role,
        max(case when lower(label) in ('primary', 'primary contact') then 1 else 0 end) over (
            partition by opportunity_id, contact_id
        ) = 1 as is_primary,
        count(case when lower(label) not in ('primary', 'primary contact') then 1 end) over (
            partition by opportunity_id, contact_id
        ) as roles
    from labels
)

select distinct
    opportunity_id,
    contact_id,
    is_deleted,
    role,
    is_primary
from parts
where role is not null or roles = 0
