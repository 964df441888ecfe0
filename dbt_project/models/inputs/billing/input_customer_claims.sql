select
    customer_id as billing_customer_id,
    nullif(coalesce(
        {{ json_texts('metadata', var(
            'billing_metadata_account_keys', ['crm_account_id', 'account_id']
        )) }}
    ), '') as claimed_account_id,
    nullif({{ json_text('metadata', 'workspace_id') }}, '') as claimed_workspace_id,
    coalesce(created_at, version_at) as known_at
from {{ ref('stg_stripe__customers') }}
