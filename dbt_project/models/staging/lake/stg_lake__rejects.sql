{% set sources = ['stripe', 'salesforce', 'hubspot', 'usage', 'desk'] %}
{% set columns = [
    'reject_id', 'source', 'table_name', 'record_key', 'rule', 'field', 'message', 'remedy',
    'rejected_at', 'seen_on',
] %}
with rejects as (
    {% for source_name in sources %}
        {{ read_beside(source_name, '_rejects', columns) }}
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

replays as (
    {% for source_name in sources %}
        select
            '{{ source_name }}' as landed_by,
            reject_id,
            replayed_at
        from ({{ read_replays(source_name) }}) as {{ source_name }}_replays
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

-- The same fault met again keeps its id: it was first seen when it was met first.
faults as (
    select
        landed_by,
        reject_id,
        min(source) as source_name,
        min(table_name) as table_name,
        min(record_key) as record_key,
        min(rule) as rule,
        min(field) as field,
        min(message) as message,
        min(remedy) as remedy,
        min(seen_on) as first_seen_on,
        max(rejected_at) as last_rejected_at
    from rejects
    group by landed_by, reject_id
)

select
    faults.reject_id,
    faults.source_name,
    faults.table_name,
    faults.record_key,
    faults.rule,
    faults.field,
    faults.message,
    faults.remedy,
    faults.first_seen_on,
    coalesce(replays.replayed_at >= faults.last_rejected_at, false) as is_replayed
from faults
left join replays
    on faults.landed_by = replays.landed_by and faults.reject_id = replays.reject_id
