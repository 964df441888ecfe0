with

seen as (
    select workspace_id from {{ ref('input_usage_daily') }}
    union
    select workspace_id from {{ ref('input_usage_monthly') }}
),

claims as (
    select
        workspace_id,
        account_id,
        'crm' as claimed_by,
        created_at as known_at
    from {{ ref('input_accounts') }}
    where workspace_id is not null and not is_test
    union all
    select
        claims.claimed_workspace_id as workspace_id,
        customers.account_id,
        'billing' as claimed_by,
        claims.known_at
    from {{ ref('input_customer_claims') }} as claims
    inner join {{ ref('input_customers') }} as customers
        on claims.billing_customer_id = customers.billing_customer_id
    where claims.claimed_workspace_id is not null
),

judged as (
    select
        claims.workspace_id,
        accounts.account_id,
        claims.claimed_by,
        claims.known_at,
        seen.workspace_id is not null as is_seen
    from claims
    left join seen on claims.workspace_id = seen.workspace_id
    left join {{ ref('int_account_map') }} as accounts
        on claims.account_id = accounts.source_account_id
),

-- One claim alone may be of a customer who has not begun yet; where two differ, somebody mistyped.
contradicted as (
    select distinct
        unseen.workspace_id,
        unseen.account_id,
        unseen.claimed_by,
        unseen.known_at,
        others.workspace_id as other_workspace_id,
        others.is_seen as is_other_seen
    from judged as unseen
    inner join judged as others
        on
            unseen.account_id = others.account_id
            and unseen.claimed_by <> others.claimed_by
            and unseen.workspace_id <> others.workspace_id
    where not unseen.is_seen
),

-- A company may have several workspaces, of accounts merged into it: each has its own two claims.
agreed as (
    select workspace_id
    from judged
    group by workspace_id
    having count(distinct claimed_by) > 1
),

unclaimed as (
    select
        daily.workspace_id,
        min(daily.known_at) as known_at
    from {{ ref('input_usage_daily') }} as daily
    left join claims on daily.workspace_id = claims.workspace_id
    where claims.workspace_id is null and daily.workspace_id <> '(none)'
    group by daily.workspace_id
)

select
    contradicted.workspace_id,
    contradicted.account_id,
    min(contradicted.claimed_by) as claimed_by,
    min(contradicted.known_at) as known_at,
    max(case when contradicted.is_other_seen then 1 else 0 end) = 1 as has_used_workspace
from contradicted
left join agreed on contradicted.workspace_id = agreed.workspace_id
where agreed.workspace_id is null
group by contradicted.workspace_id, contradicted.account_id
union all
select
    workspace_id,
    cast(null as {{ dbt.type_string() }}) as account_id,
    'nobody' as claimed_by,
    known_at,
    true as has_used_workspace
from unclaimed
