select
    reject_id,
    source_name,
    table_name,
    record_key as record_id,
    first_seen_on,
    rule,
    field,
    message,
    remedy,
    is_replayed
from {{ ref('stg_lake__rejects') }}
where first_seen_on is null or first_seen_on <= {{ as_of_date() }}
