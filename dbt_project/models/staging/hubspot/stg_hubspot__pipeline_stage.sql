-- Names of stages as they are today: HubSpot keeps no past of them.
with versions as (
    {{ newest_known('hubspot', 'pipeline_stage', key=['id']) }}
)

select
    id as pipeline_stage_id,
    object_type,
    pipeline_id,
    stage_id,
    label,
    is_closed,
    probability
from versions
