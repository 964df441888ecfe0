with entries as (
    select
        engagement_id,
        is_deleted,
        {{ each_json_object('contacts') }} as entry
    from {{ ref('stg_hubspot__engagement') }}
    where contacts is not null
)

select distinct
    engagement_id,
    {{ json_text('entry', 'id') }} as contact_id,
    is_deleted
from entries
