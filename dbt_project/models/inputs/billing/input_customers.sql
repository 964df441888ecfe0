with customers as (
    select
        customer_id,
        currency,
        is_delinquent,
        is_deleted,
        created_at,
        version_at,
        metadata
    from {{ ref('stg_stripe__customers') }}
),

crm_accounts as (
    {{ of_either_crm('account', 'company', [
        'account_id', 'stripe_customer_id', 'is_deleted', 'created_at',
    ]) }}
),

-- Salesforce ids have a short form of 15 characters; its case says all that the long form does.
accounts as (
    select
        account_id,
        substr(account_id, 1, 15) as short_account_id,
        stripe_customer_id,
        row_number() over (
            partition by stripe_customer_id order by is_deleted, created_at, account_id
        ) as claim_number
    from crm_accounts
),

-- Companies call the key in billing's metadata as they like; the first configured key found counts.
claims as (
    select
        customer_id,
        coalesce(
            {{ json_texts('metadata', var(
                'billing_metadata_account_keys', ['crm_account_id', 'account_id']
            )) }}
        ) as claimed_account_id
    from customers
),

named as (
    select
        claims.customer_id,
        accounts.account_id
    from claims
    inner join accounts on substr(claims.claimed_account_id, 1, 15) = accounts.short_account_id
)

-- What billing itself says goes before what the CRM says about billing.
select
    customers.customer_id as billing_customer_id,
    coalesce(named.account_id, accounts.account_id) as account_id,
    upper(customers.currency) as currency,
    coalesce(customers.is_delinquent, false) as is_delinquent,
    coalesce(customers.is_deleted, false) as is_deleted,
    coalesce(customers.created_at, customers.version_at) as created_at
from customers
left join named on customers.customer_id = named.customer_id
left join accounts
    on
        customers.customer_id = accounts.stripe_customer_id
        and accounts.claim_number = 1
