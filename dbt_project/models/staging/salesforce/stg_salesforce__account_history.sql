-- Changes after the as-of date are kept: their old value is what was true as of then.
with versions as (
    {{ newest_known('salesforce', 'account_history', key=['id']) }}
)

select
    id as change_id,
    coalesce(is_deleted, false) and _was_known as is_deleted,
    created_date as created_at,
    system_modstamp as modified_at,
    account_id,
    field,
    old_value,
    new_value,
    _version_at as version_at,
    _was_known as is_known_version
from versions
