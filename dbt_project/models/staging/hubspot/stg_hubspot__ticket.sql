with versions as (
    {{ newest_known('hubspot', 'ticket', key=['id'], created='created_at') }}
),

stages as (
    select
        pipeline_id,
        stage_id,
        label,
        is_closed
    from {{ ref('stg_hubspot__pipeline_stage') }}
    where object_type = 'tickets'
)

select
    versions.id as case_id,
    coalesce(versions.is_deleted, false) and versions._was_known as is_deleted,
    versions.created_at,
    versions.updated_at as modified_at,
    versions.company_id as account_id,
    versions.contact_id,
    versions.owner_id,
    versions.type as case_type,
    case versions.priority when 'URGENT' then 'CRITICAL' else versions.priority end as priority,
    coalesce(stages.label, versions.stage_id) as status,
    versions.origin,
    stages.is_closed,
    versions.closed_at,
    versions.first_response_at,
    versions.csat_score,
    versions.handoffs,
    versions.is_bug_confirmed,
    versions._version_at as version_at,
    versions._was_known as is_known_version
from versions
left join stages
    on versions.pipeline_id = stages.pipeline_id and versions.stage_id = stages.stage_id
