with

customers as (
    select
        customers.billing_customer_id,
        map.account_id
    from {{ ref('input_customers') }} as customers
    left join {{ ref('int_account_map') }} as map
        on customers.account_id = map.source_account_id
),

accounts as (
    select
        accounts.billing_customer_id,
        map.account_id,
        row_number() over (
            partition by accounts.billing_customer_id
            order by accounts.is_deleted, accounts.created_at, accounts.account_id
        ) as evidence_rank
    from {{ ref('input_accounts') }} as accounts
    inner join {{ ref('int_account_map') }} as map
        on accounts.account_id = map.source_account_id
    where accounts.billing_customer_id is not null
),

crm_links as (
    select
        billing_customer_id,
        account_id
    from accounts
    where evidence_rank = 1
),

keys as (
    select billing_customer_id from customers
    union
    select billing_customer_id from crm_links
)

select
    keys.billing_customer_id,
    -- Billing wins where the two systems disagree: it is the one that sends the invoice.
    coalesce(customers.account_id, crm_links.account_id) as account_id,
    case
        when customers.account_id is not null then 'billing'
        when crm_links.account_id is not null then 'crm'
        else 'none'
    end as link_source,
    coalesce(customers.account_id <> crm_links.account_id, false) as is_conflicting
from keys
left join customers on keys.billing_customer_id = customers.billing_customer_id
left join crm_links on keys.billing_customer_id = crm_links.billing_customer_id
