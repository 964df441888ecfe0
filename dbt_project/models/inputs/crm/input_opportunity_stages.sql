with deals as (
    {{ of_either_crm('opportunity', 'deal', [
        'opportunity_id', 'created_at', 'stage_name', 'is_deleted',
    ]) }}
),

changes_of_either_crm as (
    select
        opportunity_id,
        created_at,
        change_id,
        old_value,
        new_value
    from {{ ref('stg_salesforce__opportunity_field_history') }}
    where field = 'StageName'
    union all
    select
        opportunity_id,
        created_at,
        change_id,
        old_value,
        new_value
    from {{ ref('stg_hubspot__deal_stage_change') }}
),

changes as (
    select
        opportunity_id,
        created_at as changed_at,
        old_value as stage_before,
        new_value as stage_after,
        change_id,
        row_number() over (
            partition by opportunity_id order by created_at, change_id
        ) as change_number
    from changes_of_either_crm
),

-- Before the first change ever a deal was in that change's old stage.
starts as (
    select
        deals.opportunity_id,
        coalesce(changes.stage_before, deals.stage_name) as stage,
        deals.created_at as entered_at,
        0 as change_number
    from deals
    left join changes
        on deals.opportunity_id = changes.opportunity_id and changes.change_number = 1
    where not deals.is_deleted
    union all
    select
        changes.opportunity_id,
        changes.stage_after as stage,
        changes.changed_at as entered_at,
        changes.change_number
    from changes
    inner join deals on changes.opportunity_id = deals.opportunity_id
    where not deals.is_deleted and changes.changed_at < {{ as_of_end() }}
),

compared as (
    select
        *,
        lag(stage) over (
            partition by opportunity_id
            order by entered_at, change_number
        ) as previous_stage
    from starts
    where stage is not null
)

select
    opportunity_id,
    cast(
        row_number() over (
            partition by opportunity_id
            order by entered_at, change_number
        ) as bigint
    ) as stage_number,
    stage,
    entered_at,
    entered_at as known_at
from compared
where previous_stage is null or previous_stage <> stage
