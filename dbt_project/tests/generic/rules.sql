{#
    What must hold for every row of a model, in one test: a test costs more to start than to run.

    unique             lists of columns that name one row each
    not_null           columns that are always known
    accepted_values    column -> the words it may hold; null is a matter of not_null
    references         column -> {to: relation, field: its column}; null refers to nothing
    holds              name -> expression that is true for every row

    A broken rule is an error of the engine whose message names the columns and counts the rows, so that whoever
    reads the night's message knows where to look. No value is shown: it might be personal.
#}
{% test rules(model, unique=[], not_null=[], accepted_values={}, references={}, holds={}) %}
{%- set checks = [] -%}
{%- for columns in unique -%}
    {%- do checks.append((
        columns | join(', ') ~ ' is not unique',
        'select ' ~ columns | join(', ') ~ ' from ' ~ model ~ ' group by ' ~ columns | join(', ')
        ~ ' having count(*) > 1',
    )) -%}
{%- endfor -%}
{%- for column in not_null -%}
    {%- do checks.append((
        column ~ ' is null', 'select ' ~ column ~ ' from ' ~ model ~ ' where ' ~ column ~ ' is null',
    )) -%}
{%- endfor -%}
{%- for column, values in accepted_values.items() -%}
    {%- do checks.append((
        column ~ ' is none of ' ~ values | join(', '),
        'select ' ~ column ~ ' from ' ~ model ~ ' where ' ~ column ~ " not in ('" ~ values | join("', '") ~ "')",
    )) -%}
{%- endfor -%}
{%- for column, target in references.items() -%}
    {%- do checks.append((
        column ~ ' is not in ' ~ target['to'].identifier,
        'select rows_here.' ~ column ~ ' from ' ~ model ~ ' as rows_here left join ' ~ target['to']
        ~ ' as rows_there on rows_here.' ~ column ~ ' = rows_there.' ~ target['field']
        ~ ' where rows_here.' ~ column ~ ' is not null and rows_there.' ~ target['field'] ~ ' is null',
    )) -%}
{%- endfor -%}
{%- for name, expression in holds.items() -%}
    {%- do checks.append((
        name ~ ' does not hold',
        'select 1 as row_found from ' ~ model ~ ' where not coalesce(' ~ expression ~ ', false)',
    )) -%}
{%- endfor -%}
{%- if not checks -%}
    {{ exceptions.raise_compiler_error('rules of ' ~ model ~ ': there are none') }}
{%- endif -%}
with broken_rules as (
    {%- for rule, rows_found in checks %}
    select
        {{ loop.index }} as rule_number,
        '{{ rule | replace("'", "''") }}' as rule,
        count(*) as broken_rows
    from ({{ rows_found }}) as found_{{ loop.index }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

told as (
    select
        '{{ model.schema }}.{{ model.identifier }}: ' || {{ dbt.listagg(
            measure="rule || ' (' || cast(broken_rows as varchar) || ')'",
            delimiter_text="'; '",
            order_by_clause='order by rule_number',
        ) }} as message
    from broken_rules
    where broken_rows > 0
    having count(*) > 0
)

select message
from told
where {{ raised('message') }} is null
{% endtest %}
