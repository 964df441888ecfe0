with

accounts as (
    select
        account_id,
        name,
        segment,
        region,
        country,
        industry,
        employee_count,
        acquisition_origin,
        owner_id,
        parent_account_id,
        displaced_competitor_id,
        billing_customer_id,
        workspace_id,
        is_test,
        is_deleted,
        created_at
    from {{ ref('input_accounts') }}
),

account_map as (
    select
        source_account_id,
        account_id,
        merged_at,
        is_merged,
        is_duplicate
    from {{ ref('int_account_map') }}
),

-- The account field is written by hand; the owner history fills it where it is empty.
current_owners as (
    select
        account_id,
        employee_id,
        row_number() over (partition by account_id order by owned_from desc) as newest_rank
    from {{ ref('input_account_owners') }}
    where owned_to is null or owned_to > {{ as_of_date() }}
)

select
    accounts.account_id,
    case when account_map.is_merged then account_map.account_id end as merged_into_account_id,
    parents.account_id as parent_account_id,
    coalesce(accounts.owner_id, current_owners.employee_id) as owner_id,
    accounts.displaced_competitor_id,
    accounts.billing_customer_id,
    accounts.workspace_id,
    accounts.created_at,
    account_map.merged_at,
    accounts.name,
    accounts.segment,
    accounts.region,
    accounts.country,
    accounts.industry,
    accounts.acquisition_origin,
    accounts.employee_count,
    coalesce(account_map.is_merged, false) as is_merged,
    coalesce(account_map.is_duplicate, false) as is_duplicate,
    accounts.is_test,
    accounts.is_deleted
from accounts
inner join account_map on accounts.account_id = account_map.source_account_id
left join account_map as parents on accounts.parent_account_id = parents.source_account_id
left join current_owners
    on accounts.account_id = current_owners.account_id and current_owners.newest_rank = 1
