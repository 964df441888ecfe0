with accounts as (
    {{ of_either_crm('account', 'company', [
        'account_id', 'name', 'segment', 'region', 'billing_country', 'website', 'industry',
        'number_of_employees', 'acquisition_origin', 'owner_id', 'parent_id',
        'displaced_competitor', 'stripe_customer_id', 'workspace_id', 'is_test', 'is_deleted',
        'created_at',
    ]) }}
),

owners as (
    select
        account_id,
        employee_id
    from {{ ref('input_account_owners') }}
    where owned_to is null
),

-- A customer may have been billed under several customer objects; the first one stands for it.
billing_customers as (
    select
        customers.account_id,
        customers.billing_customer_id,
        {{ json_text('landed.metadata', 'workspace_id') }} as workspace_id,
        row_number() over (
            partition by customers.account_id
            order by customers.created_at, customers.billing_customer_id
        ) as customer_number
    from {{ ref('input_customers') }} as customers
    inner join {{ ref('stg_stripe__customers') }} as landed
        on customers.billing_customer_id = landed.customer_id
    where customers.account_id is not null
)

select
    accounts.account_id,
    accounts.name,
    accounts.segment,
    accounts.region,
    accounts.billing_country as country,
    accounts.website,
    accounts.industry,
    cast(accounts.number_of_employees as bigint) as employee_count,
    accounts.acquisition_origin,
    coalesce(owners.employee_id, accounts.owner_id) as owner_id,
    accounts.parent_id as parent_account_id,
    accounts.displaced_competitor as displaced_competitor_id,
    coalesce(
        nullif(accounts.stripe_customer_id, ''), billing_customers.billing_customer_id
    ) as billing_customer_id,
    coalesce(nullif(accounts.workspace_id, ''), billing_customers.workspace_id) as workspace_id,
    coalesce(accounts.is_test, false) as is_test,
    coalesce(accounts.is_deleted, false) as is_deleted,
    accounts.created_at
from accounts
left join owners on accounts.account_id = owners.account_id
left join billing_customers
    on
        accounts.account_id = billing_customers.account_id
        and billing_customers.customer_number = 1
