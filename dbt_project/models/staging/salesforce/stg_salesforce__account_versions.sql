with versions as (
    {{ known_versions('salesforce', 'account', key=['id'], created='created_date') }}
)

select
    id as account_id,
    master_record_id as merged_into_account_id,
    _version_at as version_at,
    _was_known as is_known_version
from versions
