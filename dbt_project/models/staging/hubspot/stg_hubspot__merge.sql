-- A merged record is in no listing any more: its survivor tells of it, with the times of the
-- changes of that property, on contacts with a time each, else by the first version that names it.
with told as (
    select
        'company' as object_type,
        company_id as surviving_id,
        {{ each_part('value', ';') }} as losing_id,
        created_at as told_at
    from ({{ of_finished_loads('hubspot', 'company_history') }}) as changes
    where property = 'hs_merged_object_ids' and value is not null
    union all
    select
        'company' as object_type,
        id as surviving_id,
        {{ each_part('merged_ids', ';') }} as losing_id,
        _version_at as told_at
    from ({{ of_finished_loads('hubspot', 'company') }}) as companies
    where merged_ids is not null
    union all
    select
        'contact' as object_type,
        contact_id as surviving_id,
        {{ each_part('value', ';') }} as losing_id,
        created_at as told_at
    from ({{ of_finished_loads('hubspot', 'contact_history') }}) as changes
    where property = 'hs_merged_object_ids' and value is not null
    union all
    select
        'contact' as object_type,
        id as surviving_id,
        {{ each_part('merged_ids', ';') }} as losing_id,
        _version_at as told_at
    from ({{ of_finished_loads('hubspot', 'contact') }}) as contacts
    where merged_ids is not null
    union all
    select
        'contact' as object_type,
        surviving_id,
        {{ dbt.split_part('entry', "':'", 1) }} as losing_id,
        {{ instant_of_milliseconds(dbt.split_part('entry', "':'", 2)) }} as told_at
    from (
        select
            id as surviving_id,
            {{ each_part('merge_times', ';') }} as entry
        from ({{ of_finished_loads('hubspot', 'contact') }}) as landed
        where merge_times is not null
    ) as entries
),

-- What was merged into a loser goes on to the loser's survivor: the first one named it directly.
ranked as (
    select
        object_type,
        trim(losing_id) as losing_id,
        surviving_id,
        told_at,
        row_number() over (
            partition by object_type, trim(losing_id) order by told_at, surviving_id
        ) as told_number
    from told
    where trim(losing_id) <> '' and trim(losing_id) <> surviving_id
)

select
    object_type,
    losing_id,
    surviving_id,
    told_at as merged_at
from ranked
where told_number = 1
