with versions as (
    {{ newest_known(
        'desk', 'entitlements',
        key=['account_id', 'feature_id', 'entitled_from'],
        removal='_deleted',
    ) }}
)

select
    account_id,
    feature_id,
    entitled_from,
    entitled_to,
    _row as source_row,
    _source_file as source_file,
    _version_at as version_at,
    _was_known as is_known_version
from versions
