-- Workspaces that are used though nobody claims them stay, as orphans. The CRM's word goes before
-- billing's; where one of them has mistyped, the other leads to the workspace that is used.
with claims as (
    select
        workspace_id,
        account_id,
        1 as source_rank,
        is_deleted,
        created_at
    from {{ ref('input_accounts') }}
    where workspace_id is not null
    union all
    select
        claims.claimed_workspace_id as workspace_id,
        customers.account_id,
        2 as source_rank,
        customers.is_deleted,
        customers.created_at
    from {{ ref('input_customer_claims') }} as claims
    inner join {{ ref('input_customers') }} as customers
        on claims.billing_customer_id = customers.billing_customer_id
    where claims.claimed_workspace_id is not null and customers.account_id is not null
),

ranked_claims as (
    select
        workspace_id,
        account_id,
        row_number() over (
            partition by workspace_id order by source_rank, is_deleted, created_at, account_id
        ) as claim_number
    from claims
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
    ranked_claims.account_id
from seen
left join ranked_claims
    on seen.workspace_id = ranked_claims.workspace_id and ranked_claims.claim_number = 1
