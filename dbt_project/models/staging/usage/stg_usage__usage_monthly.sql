with versions as (
    {{ newest_known('usage', 'usage_monthly', key=['workspace_id', 'month']) }}
)

select
    workspace_id,
    month,
    active_users,
    events,
    features_used,
    licences,
    _version_at as version_at,
    _was_known as is_known_version
from versions
