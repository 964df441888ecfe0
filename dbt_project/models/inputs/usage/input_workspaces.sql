-- Workspaces that are used though nobody claims them stay, as orphans.
with claims as (
    select
        workspace_id,
        account_id,
        row_number() over (
            partition by workspace_id order by is_deleted, created_at, account_id
        ) as claim_number
    from {{ ref('input_accounts') }}
    where workspace_id is not null
),

seen as (
    select workspace_id from {{ ref('input_usage_daily') }}
    union
    select workspace_id from {{ ref('input_usage_monthly') }}
    union
    select workspace_id from claims
)

select
    seen.workspace_id,
    claims.account_id
from seen
left join claims on seen.workspace_id = claims.workspace_id and claims.claim_number = 1
