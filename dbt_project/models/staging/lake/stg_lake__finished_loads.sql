{{ config(materialized='table') }}

{% for source_name in ['stripe', 'salesforce', 'usage', 'desk', 'scores'] %}
    select
        '{{ source_name }}' as source_name,
        load_id
    from ({{ read_finished_loads(source_name) }}) as {{ source_name }}_loads
    {% if not loop.last %}union all{% endif %}
{% endfor %}
