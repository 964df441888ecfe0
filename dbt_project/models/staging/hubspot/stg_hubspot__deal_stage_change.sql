-- Stages have names of their own in HubSpot, which are unique over all pipelines.
with stages as (
    select
        stage_id,
        max(label) as label
    from {{ ref('stg_hubspot__pipeline_stage') }}
    where object_type = 'deals'
    group by stage_id
)

select
    changes.change_id,
    changes.record_id as opportunity_id,
    coalesce(stages_before.label, changes.old_value) as old_value,
    coalesce(stages_after.label, changes.new_value) as new_value,
    changes.created_at
from {{ ref('stg_hubspot__property_change') }} as changes
left join stages as stages_before on changes.old_value = stages_before.stage_id
left join stages as stages_after on changes.new_value = stages_after.stage_id
where changes.object_type = 'deal' and changes.property = 'dealstage'
