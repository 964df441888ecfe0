with versions as (
    {{ newest_known(
        'desk', 'program_enrolments',
        key=['program_id', 'account_id'],
        removal='_deleted',
    ) }}
)

select
    program_id,
    account_id,
    arm,
    enrolled_on,
    known_at,
    _row as source_row,
    _source_file as source_file,
    _version_at as version_at,
    _was_known as is_known_version
from versions
