with parts as (
    {{ of_either_crm('opportunity_contact_role', 'deal_contact', [
        'opportunity_id', 'contact_id', 'role', 'is_primary', 'is_deleted',
    ]) }}
)

select
    opportunity_id,
    contact_id,
    coalesce(nullif(role, ''), 'unspecified') as role,
    max(case when is_primary then 1 else 0 end) = 1 as is_primary
from parts
where
    not is_deleted
    and opportunity_id is not null
    and contact_id is not null
group by opportunity_id, contact_id, coalesce(nullif(role, ''), 'unspecified')
