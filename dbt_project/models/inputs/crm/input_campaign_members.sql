with members_of_either_crm as (
    {{ of_either_crm('campaign_member', 'campaign_member', [
        'campaign_member_id', 'campaign_id', 'contact_id', 'lead_id', 'status', 'has_responded',
        'first_responded_on', 'is_deleted', 'created_at',
    ]) }}
),

members as (
    select
        campaign_id,
        coalesce(contact_id, lead_id) as contact_id,
        status,
        coalesce(has_responded, false) as has_responded,
        first_responded_on,
        created_at,
        row_number() over (
            partition by campaign_id, coalesce(contact_id, lead_id)
            order by
                case when has_responded then 0 else 1 end, created_at, campaign_member_id
        ) as member_number
    from members_of_either_crm
    where not is_deleted and coalesce(contact_id, lead_id) is not null and campaign_id is not null
)

select
    campaign_id,
    contact_id,
    status,
    has_responded
    and coalesce(first_responded_on <= {{ as_of_date() }}, true) as has_responded,
    case
        when first_responded_on <= {{ as_of_date() }} then {{ day_start('first_responded_on') }}
    end as responded_at,
    created_at as known_at
from members
where member_number = 1
