select
    change_id,
    source_name,
    table_name,
    first_seen_on,
    field,
    kind,
    detail,
    outcome,
    message,
    remedy
from {{ ref('stg_lake__schema_changes') }}
where first_seen_on is null or first_seen_on <= {{ as_of_date() }}
