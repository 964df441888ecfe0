{{ config(materialized='table') }}

-- Not the scores: they land after this table is built, and their staging asks the lake itself.
{% for source_name in ['stripe', 'salesforce', 'hubspot', 'usage', 'desk'] %}
    select
        '{{ source_name }}' as source_name,
        load_id
    from ({{ read_finished_loads(source_name) }}) as {{ source_name }}_loads
    {% if not loop.last %}union all{% endif %}
{% endfor %}
