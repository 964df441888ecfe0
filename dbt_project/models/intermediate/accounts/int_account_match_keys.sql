-- Our own test accounts stand for no company: they match nothing.
with accounts as (
    select
        account_id,
        {{ company_key('name') }} as name_key,
        {{ web_domain('website') }} as domain,
        lower(country) as country,
        lower(industry) as industry,
        employee_count,
        nullif(billing_customer_id, '') as billing_customer_id,
        nullif(workspace_id, '') as workspace_id,
        parent_account_id,
        is_deleted,
        created_at
    from {{ ref('input_accounts') }}
    where not is_test
),

own_domains as (
    select
        *,
        case when not {{ is_shared_domain('domain') }} then domain end as own_domain
    from accounts
)

select
    account_id,
    parent_account_id,
    billing_customer_id,
    workspace_id,
    name_key,
    own_domain as domain_key,
    {{ before('own_domain', '.') }} as domain_label,
    country,
    industry,
    employee_count,
    created_at,
    is_deleted
from own_domains
