{# How the engine reads what is no table in the lake. #}

{# Ids of a source's finished loads: one JSON line each in `<source>/_dlt_loads/`. A source that never
   loaded has no such folder; a line cut off in writing does not count. #}
{% macro read_finished_loads(source_name) -%}
    {{ return(adapter.dispatch('read_finished_loads')(source_name)) }}
{%- endmacro %}

{% macro default__read_finished_loads(source_name) -%}
select distinct json_extract_string(line, '$.load_id') as load_id
from (
    select unnest(string_split(content, chr(10))) as line
    from read_text('{{ env_var("TENURE_LAKE") }}/{{ source_name }}/_dlt_loads/*.jsonl')
) as lines
where
    case when json_valid(line) then json_extract_string(line, '$.status') end = '0'
{%- endmacro %}

{% macro spark__read_finished_loads(source_name) -%}
select distinct get_json_object(value, '$.load_id') as load_id
from text.`{{ env_var("TENURE_LAKE") }}/{{ source_name }}/_dlt_loads/*.jsonl`
where get_json_object(value, '$.status') = '0'
{%- endmacro %}

{# A table that every source has beside its own (`_rejects`, `_schema_changes`): rows of finished loads with
   the source's folder as `landed_by`. Its empty file is written before the night loads anything. #}
{% macro read_beside(source_name, table_name, columns) -%}
select
    '{{ source_name }}' as landed_by,
    {{ columns | join(', ') }}
from read_parquet(
    '{{ env_var("TENURE_LAKE") }}/{{ source_name }}/{{ table_name }}/**/*.parquet', union_by_name=true
)
where
    _dlt_load_id in (
        select load_id from {{ ref('stg_lake__finished_loads') }} where source_name = '{{ source_name }}'
    )
{%- endmacro %}

{# Rejects that were landed after all: reject_id and when. The folder is there once somebody has replayed. #}
{% macro read_replays(source_name) -%}
    {%- set files = env_var("TENURE_LAKE") ~ '/' ~ source_name ~ '/_replays/*.parquet' -%}
    {%- set are_there = false -%}
    {%- if execute -%}
        {%- set are_there = run_query("select count(*) from glob('" ~ files ~ "')").rows[0][0] > 0 -%}
    {%- endif -%}
    {%- if are_there -%}
select
    reject_id,
    max(replayed_at) as replayed_at
from read_parquet('{{ files }}', union_by_name=true)
where outcome = 'landed'
group by reject_id
    {%- else -%}
select
    cast(null as varchar) as reject_id,
    cast(null as {{ type_instant() }}) as replayed_at
where false
    {%- endif -%}
{%- endmacro %}
