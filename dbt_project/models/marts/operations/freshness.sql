{#
    When each fact happened or was written down by its source, never when it was loaded: a table
    that is loaded every night and brings nothing new is stale.
#}
{% set clocks = {
    'stripe': {
        'events': 'created', 'invoices': 'created', 'charges': 'created',
        'customers': 'created', 'subscriptions': 'created',
    },
    'salesforce': {
        'account': 'system_modstamp', 'contact': 'system_modstamp',
        'opportunity': 'system_modstamp', 'task': 'system_modstamp',
        'event': 'system_modstamp', 'case': 'system_modstamp', 'campaign': 'system_modstamp',
    },
    'hubspot': {
        'company': 'updated_at', 'contact': 'updated_at', 'deal': 'updated_at',
        'ticket': 'updated_at', 'task': 'updated_at', 'meeting': 'updated_at',
    },
    'usage': {'usage_monthly': dbt.last_day('month', 'month')},
    'desk': {
        'risk_assessments': 'assessed_on', 'survey_responses': 'responded_on',
        'success_measurements': 'measured_on', 'service_levels': 'measured_on',
        'action_plans': 'coalesce(closed_on, opened_on)', 'advocacy_acts': 'occurred_on',
        'trigger_events': 'occurred_on', 'social_signals': 'occurred_on',
        'function_costs': dbt.last_day('month', 'month'), 'program_enrolments': 'enrolled_on',
    },
} %}
with clocks as (
    {%- for source_name, tables in clocks.items() %}
        {%- for table_name, clock in tables.items() %}
            select
                '{{ source_name }}' as source_name,
                '{{ table_name }}' as table_name,
                cast({{ clock }} as date) as known_on,
                _dlt_load_id as load_id
            from {{ source(source_name, table_name) }}
            union all
        {%- endfor %}
    {%- endfor %}
    -- Events are counted by day of receipt as they are loaded; the events themselves are too many.
    select
        'usage' as source_name,
        'events' as table_name,
        received_on as known_on,
        _dlt_load_id as load_id
    from {{ source('usage', 'load_days') }}
),

newest as (
    select
        clocks.source_name,
        clocks.table_name,
        max(clocks.known_on) as newest_known_on
    from clocks
    inner join {{ ref('stg_lake__finished_loads') }} as finished_loads
        on
            clocks.source_name = finished_loads.source_name
            and clocks.load_id = finished_loads.load_id
    where clocks.known_on <= {{ as_of_date() }}
    group by clocks.source_name, clocks.table_name
),

expected as (
    select
        expectations.source_name,
        expectations.table_name,
        newest.newest_known_on,
        {{ as_of_date() }} as as_of_on,
        expectations.expected_lag_days
    from {{ ref('freshness_expectations') }} as expectations
    left join newest
        on
            expectations.source_name = newest.source_name
            and expectations.table_name = newest.table_name
),

ages as (
    select
        *,
        cast(
            {{ dbt.datediff('newest_known_on', 'as_of_on', 'day') }}
            as bigint
        ) as lag_days
    from expected
)

select
    source_name,
    table_name,
    newest_known_on,
    expected_lag_days,
    lag_days,
    lag_days > expected_lag_days as is_stale,
    newest_known_on is not null as has_facts
from ages
