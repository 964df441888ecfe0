with

workspaces as (
    select
        workspaces.workspace_id,
        map.account_id
    from {{ ref('input_workspaces') }} as workspaces
    left join {{ ref('int_account_map') }} as map
        on workspaces.account_id = map.source_account_id
),

accounts as (
    select
        accounts.workspace_id,
        map.account_id,
        row_number() over (
            partition by accounts.workspace_id
            order by accounts.is_deleted, accounts.created_at, accounts.account_id
        ) as evidence_rank
    from {{ ref('input_accounts') }} as accounts
    inner join {{ ref('int_account_map') }} as map
        on accounts.account_id = map.source_account_id
    where accounts.workspace_id is not null
),

crm_links as (
    select
        workspace_id,
        account_id
    from accounts
    where evidence_rank = 1
),

keys as (
    select workspace_id from workspaces
    union
    select workspace_id from crm_links
)

select
    keys.workspace_id,
    -- The product wins where the two systems disagree: it is the one people log in to.
    coalesce(workspaces.account_id, crm_links.account_id) as account_id,
    case
        when workspaces.account_id is not null then 'product'
        when crm_links.account_id is not null then 'crm'
        else 'none'
    end as link_source,
    coalesce(workspaces.account_id <> crm_links.account_id, false) as is_conflicting
from keys
left join workspaces on keys.workspace_id = workspaces.workspace_id
left join crm_links on keys.workspace_id = crm_links.workspace_id
