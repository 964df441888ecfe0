{# Materialisation of tables built from events, one day at a time: only days about which something has
   changed are done again, all of them in one transaction, a bounded number of events in memory.
   Here: which days, in which batches, and the replacing of days. Not here: what a day holds.

   A model states
     day_column          the date column of the table, by which days are replaced
     source_day_column   the date column of what it reads, which it filters with days_of_batch()
     day_versions        name of a model it refers to: event_on, day_version, deliveries
     days_around         how many days before and after a batch it reads as well, with days_around_batch()
   and writes into its column day_version the version of the day as it was built. Days whose version in
   the table differs from the wanted one, or that are no longer wanted, are replaced: so the table is a
   function of lake and as-of date, whatever it held before, for later and for earlier as-of dates.
   A change of the model's columns rebuilds all days; one of its logic needs --full-refresh. #}

{# The model's filter on days. Outside a batch (compiled for reading, or in a unit test) it lets all
   days pass; the materialisation puts the days of a batch in its place. #}
{% macro days_of_batch(column) -%}
    {{ column }} between cast('0001-01-01' as date) and cast('9999-12-31' as date)
{%- endmacro %}

{# The same with so many days before and after each day of the batch: what a model must see to decide what
   belongs to a day. Such a day is done again when a neighbour changes, so the neighbours' deliveries belong in
   its version. The columns compared must be written differently from that of days_of_batch(). #}
{% macro days_around_batch(column) -%}
    {{ column }} between cast('0001-01-02' as date) and cast('9999-12-30' as date)
{%- endmacro %}

{% macro days_listed(column, days) -%}
    {{ column }} in (
        {%- for day in days %}cast('{{ day }}' as date){% if not loop.last %}, {% endif %}{% endfor -%}
    )
{%- endmacro %}

{# Wanted days whose version the table does not hold, and held days that are not wanted (deliveries 0). #}
{% macro days_to_replace(target, versions, day_column) -%}
    with wanted as (
        select
            event_on,
            day_version,
            deliveries
        from {{ versions }}
    )
    {%- if target is not none %},

    held as (
        select distinct
            {{ day_column }} as event_on,
            day_version
        from {{ target }}
    )

    select
        coalesce(wanted.event_on, held.event_on) as event_on,
        coalesce(max(wanted.deliveries), 0) as deliveries,
        count(held.event_on) > 0 as is_held
    from wanted
    full outer join held on wanted.event_on = held.event_on
    group by coalesce(wanted.event_on, held.event_on)
    having
        count(wanted.event_on) = 0
        or count(held.event_on) <> 1
        or max(wanted.day_version) <> max(held.day_version)
    order by 1
    {%- else %}

    select
        event_on,
        deliveries,
        false as is_held
    from wanted
    order by 1
    {%- endif %}
{%- endmacro %}

{% materialization overwrite_days, adapter='duckdb' %}
    {%- set day_column = config.require('day_column') -%}
    {%- set source_day_column = config.require('source_day_column') -%}
    {%- set versions = ref(config.require('day_versions')) -%}
    {%- set any_day = days_of_batch(source_day_column) -%}
    {%- set any_day_around = days_around_batch(source_day_column) -%}
    {%- set days_around = config.get('days_around', 0) | int -%}
    {%- set batch_size = var('events_per_batch', 5000000) | int -%}

    {%- set existing = load_cached_relation(this) -%}
    {%- set target = this.incorporate(type='table') -%}
    {%- set wanted_columns = model.columns.keys() | list -%}
    {%- set rebuild = existing is none or not existing.is_table or should_full_refresh() -%}
    {%- if not rebuild -%}
        {%- set held_columns = adapter.get_columns_in_relation(existing) | map(attribute='name') | list -%}
        {%- set rebuild = held_columns | sort != wanted_columns | sort -%}
    {%- endif -%}
    {%- if any_day not in compiled_code -%}
        {% do exceptions.raise_compiler_error(
            this.identifier ~ ' does not filter on days_of_batch(' ~ source_day_column ~ '): all events'
            ~ ' would be read for every batch'
        ) %}
    {%- endif -%}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}

    {%- set days = run_query(days_to_replace(none if rebuild else existing, versions, day_column)).rows -%}
    {%- set no_day = compiled_code | replace(any_day, 'false') | replace(any_day_around, 'false') -%}

    {#- The first statement opens the transaction that the commit below closes. -#}
    {% if rebuild %}
        {% call statement('main') -%}
            {%- if existing is not none %}drop {{ existing.type }} {{ existing }};{% endif %}
            {{ create_table_as(False, target, no_day) }}
        {%- endcall %}
    {% else %}
        {%- set held_days = days | selectattr('is_held') | map(attribute='event_on') | list -%}
        {% call statement('main') -%}
            delete from {{ target }}
            where {{ days_listed(day_column, held_days) if held_days else 'false' }}
        {%- endcall %}
    {% endif %}

    {%- set batch = namespace(days=[], events=0, number=0) -%}
    {% for day in days if day['deliveries'] > 0 %}
        {%- do batch.days.append(day['event_on']) -%}
        {%- set batch.events = batch.events + (day['deliveries'] | int) -%}
        {% if batch.events >= batch_size or loop.last %}
            {%- set batch.number = batch.number + 1 -%}
            {%- set around = [] -%}
            {%- for day in batch.days -%}
                {%- for offset in range(-days_around, days_around + 1) -%}
                    {%- do around.append(day + modules.datetime.timedelta(days=offset)) -%}
                {%- endfor -%}
            {%- endfor -%}
            {%- set days_of_this = days_listed(source_day_column, batch.days) -%}
            {%- set days_around_this = days_listed(source_day_column, around | unique | list) -%}
            {% call statement('batch_' ~ batch.number, auto_begin=False) -%}
                insert into {{ target }} ({{ wanted_columns | join(', ') }})
                select {{ wanted_columns | join(', ') }}
                from (
                    {{
                        compiled_code
                        | replace(any_day, days_of_this)
                        | replace(any_day_around, days_around_this)
                    }}
                ) as days_of_batch
            {%- endcall %}
            {%- set batch.days = [] -%}
            {%- set batch.events = 0 -%}
        {% endif %}
    {% endfor %}

    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {% do persist_docs(target, model) %}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}

    {{ return({'relations': [target]}) }}
{% endmaterialization %}
