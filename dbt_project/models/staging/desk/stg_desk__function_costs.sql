with versions as (
    {{ newest_known(
        'desk', 'function_costs',
        key=['month', 'function', 'purpose'],
        removal='_deleted',
    ) }}
)

select
    month,
    function,
    purpose,
    cost_usd,
    headcount,
    _row as source_row,
    _source_file as source_file,
    _version_at as version_at,
    _was_known as is_known_version
from versions
