{# Which version of a landed record counts. The lake is append-only: each change of a record is one
   more row with the load that brought it and the instant at which the vendor says it became true.
   Here: the rule of newest-known versions, once for all vendors. Not here: any vendor's columns. #}

{# Rows of finished loads; what a load left that never finished does not exist. #}
{% macro of_finished_loads(source_name, table_name) -%}
select landed.*
from {{ source(source_name, table_name) }} as landed
inner join {{ ref('stg_lake__finished_loads') }} as finished_loads
    on
        landed._dlt_load_id = finished_loads.load_id
        and finished_loads.source_name = '{{ source_name }}'
{%- endmacro %}

{# One row per key: the newest version known as of the as-of date; where none was, the earliest one,
   provided that the record existed (`_was_known` is then false: what it says about later must be cut
   by its own dates). Loads overlap, so one version may have been landed twice: the newer load counts,
   because fields that the vendor computes change without a new version.
   tombstone: flag column of a deletion that carries nothing else; the other columns then come from
   the last version that has them, and `_is_deleted` says whether the deletion was known.
   removal: flag column of a version that says the record is gone; where it is the newest known one there
   is no row, so that what somebody took out of a sheet is gone from the day it was taken out. #}
{% macro newest_known(source_name, table_name, key, created=none, tombstone=none, removal=none) -%}
select *
from (
    select
        landed.*,
        landed._version_at < {{ as_of_end() }} as _was_known,
        {%- if tombstone %}
        max(
            case when landed.{{ tombstone }} and landed._version_at < {{ as_of_end() }} then 1 else 0 end
        ) over (partition by {{ key | join(', ') }}) = 1 as _is_deleted,
        {%- endif %}
        row_number() over (
            partition by {{ key | join(', ') }}
            order by
                {% if tombstone -%}
                case when landed.{{ tombstone }} then 1 else 0 end,
                {% endif -%}
                case when landed._version_at < {{ as_of_end() }} then 0 else 1 end,
                case when landed._version_at < {{ as_of_end() }} then landed._version_at end desc,
                landed._version_at,
                landed._dlt_load_id desc
        ) as _recency
    from ({{ of_finished_loads(source_name, table_name) }}) as landed
    {%- if created %}
    where coalesce(landed.{{ created }}, landed._version_at) < {{ as_of_end() }}
    {%- endif %}
) as ranked
where
    _recency = 1
    {%- if removal %}
    and not (coalesce({{ removal }}, false) and _was_known)
    {%- endif %}
{%- endmacro %}

{# All versions of a key known as of the as-of date, one row per key and instant; where none was known,
   the earliest one. last_wins: what decides between two versions that the vendor dates to the same
   second, since its clock has no finer grain. #}
{% macro known_versions(source_name, table_name, key, created=none, last_wins=[]) -%}
select *
from (
    select
        landed.*,
        landed._version_at < {{ as_of_end() }} as _was_known,
        min(landed._version_at) over (partition by {{ key | join(', ') }}) as _first_version_at,
        row_number() over (
            partition by {{ key | join(', ') }}, landed._version_at
            order by {{ (['landed._dlt_load_id desc'] + last_wins) | join(', ') }}
        ) as _recency
    from ({{ of_finished_loads(source_name, table_name) }}) as landed
    {%- if created %}
    where coalesce(landed.{{ created }}, landed._version_at) < {{ as_of_end() }}
    {%- endif %}
) as ranked
where _recency = 1 and (_was_known or _version_at = _first_version_at)
{%- endmacro %}
