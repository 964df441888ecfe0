with tasks as (
    select
        task_id as activity_id,
        coalesce(account_id, case when what_id like '001%' then what_id end) as account_id,
        case when what_id like '006%' then what_id end as opportunity_id,
        owner_id as employee_id,
        lower(coalesce(nullif(task_type, ''), task_subtype)) as vendor_type,
        'other' as default_type,
        coalesce(completed_at, {{ day_start('activity_on') }}, created_at) as event_at,
        created_at,
        cast(null as bigint) as duration_minutes,
        is_two_way,
        acknowledged_on
    from {{ ref('stg_salesforce__task') }}
    -- An open task is a plan, not something that took place.
    where not is_deleted and (completed_at is not null or lower(status) = 'completed')
),

events as (
    select
        event_id as activity_id,
        coalesce(account_id, case when what_id like '001%' then what_id end) as account_id,
        case when what_id like '006%' then what_id end as opportunity_id,
        owner_id as employee_id,
        lower(event_type) as vendor_type,
        'meeting' as default_type,
        starts_at as event_at,
        created_at,
        cast(duration_in_minutes as bigint) as duration_minutes,
        is_two_way,
        acknowledged_on
    from {{ ref('stg_salesforce__event') }}
    where not is_deleted
),

engagements as (
    select
        engagement_id as activity_id,
        account_id,
        opportunity_id,
        owner_id as employee_id,
        engagement_type as vendor_type,
        'other' as default_type,
        event_at,
        created_at,
        duration_minutes,
        is_two_way,
        acknowledged_on
    from {{ ref('stg_hubspot__engagement') }}
    where not is_deleted and has_taken_place
),

activities as (
    {%- for kind in ['tasks', 'events', 'engagements'] %}
        select
            activity_id,
            account_id,
            opportunity_id,
            employee_id,
            vendor_type,
            default_type,
            event_at,
            created_at,
            duration_minutes,
            is_two_way,
            acknowledged_on
        from {{ kind }}
        {{ 'union all' if not loop.last }}
    {%- endfor %}
),

deals as (
    {{ of_either_crm('opportunity', 'deal', ['opportunity_id', 'account_id']) }}
)

select
    activities.activity_id,
    coalesce(activities.account_id, deals.account_id) as account_id,
    activities.opportunity_id,
    activities.employee_id,
    case
        when
            activities.vendor_type in (
                'email', 'call', 'meeting', 'visit', 'qbr', 'training', 'value report', 'social',
                'conference', 'other'
            )
            then replace(activities.vendor_type, ' ', '_')
        when activities.vendor_type = 'listemail' then 'email'
        when activities.vendor_type is null then activities.default_type
        else 'other'
    end as activity_type,
    activities.event_at,
    greatest(activities.event_at, activities.created_at) as known_at,
    activities.duration_minutes,
    activities.is_two_way,
    {{ come_by('activities.acknowledged_on') }} as acknowledged_on
from activities
left join deals on activities.opportunity_id = deals.opportunity_id
where activities.event_at < {{ as_of_end() }}
