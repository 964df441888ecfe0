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
