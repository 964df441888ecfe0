select
    product_id as plan_id,
    product_name as plan_name,
    coalesce({{ json_text('metadata', 'plan_family') }}, lower(product_name)) as plan_family,
    coalesce(created_at, version_at) as created_at
from {{ ref('stg_stripe__products') }}
