select
    workspace_id,
    cast({{ dbt.last_day('month', 'month') }} as date) as month,
    active_users,
    events,
    features_used,
    licences
from {{ ref('stg_usage__usage_monthly') }}
-- A month is known when it is over.
where cast({{ dbt.last_day('month', 'month') }} as date) <= {{ as_of_date() }}
