-- The newest version tells when a record was last written, and the record when it took place: one
-- written in a later month changes a month that was closed.
with deals as (
    {{ of_either_crm('opportunity', 'deal', [
        'opportunity_id', 'is_deleted', 'is_closed', 'close_on', 'modified_at', 'is_known_version',
    ]) }}
),

edits as (
    select
        'opportunities' as object,
        opportunity_id as record_id,
        close_on as effective_on,
        modified_at as edited_at
    from deals
    where not is_deleted and is_closed and is_known_version
    union all
    select
        'activities' as object,
        task_id as record_id,
        coalesce({{ utc_date('completed_at') }}, activity_on) as effective_on,
        modified_at as edited_at
    from {{ ref('stg_salesforce__task') }}
    where not is_deleted and is_known_version
    union all
    select
        'activities' as object,
        event_id as record_id,
        {{ utc_date('starts_at') }} as effective_on,
        modified_at as edited_at
    from {{ ref('stg_salesforce__event') }}
    where not is_deleted and is_known_version
    union all
    select
        'activities' as object,
        engagement_id as record_id,
        {{ utc_date('event_at') }} as effective_on,
        modified_at as edited_at
    from {{ ref('stg_hubspot__engagement') }}
    where not is_deleted and has_taken_place and is_known_version
)

select
    object,
    record_id,
    effective_on,
    edited_at,
    edited_at as known_at
from edits
where
    edited_at < {{ as_of_end() }}
    and {{ utc_date('edited_at') }} > {{ month_end('effective_on') }}
