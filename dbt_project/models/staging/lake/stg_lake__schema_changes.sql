{% set sources = ['stripe', 'salesforce', 'hubspot', 'usage', 'desk'] %}
{% set columns = [
    'change_id', 'source', 'table_name', 'kind', 'field', 'detail', 'outcome', 'message',
    'remedy', 'seen_on',
] %}
with changes as (
    {% for source_name in sources %}
        {{ read_beside(source_name, '_schema_changes', columns) }}
        {{ 'union all' if not loop.last }}
    {% endfor %}
)

-- A change that blocks comes back every night until somebody deals with it.
select
    change_id,
    source as source_name,
    table_name,
    field,
    kind,
    detail,
    outcome,
    message,
    remedy,
    seen_on as first_seen_on
from (
    select
        *,
        row_number() over (partition by change_id order by seen_on, outcome) as sighting
    from changes
) as ranked
where sighting = 1
