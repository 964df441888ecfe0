{#
    What happened in a month that had ended when it became known. The marts already say what is
    right: this says how much of a month they have come to say later.
#}
{% set late_facts = {
    'activities': ['activity_id', utc_date('event_at')],
    'cases': ['case_id', utc_date('opened_at')],
    'survey_responses': ['survey_response_id', 'responded_on'],
    'risk_assessments': ['risk_assessment_id', 'assessed_on'],
    'success_measurements': ['success_measurement_id', 'measured_on'],
    'advocacy_acts': ['advocacy_act_id', 'occurred_on'],
    'trigger_events': ['trigger_event_id', 'occurred_on'],
} %}
with

rates as (
    select
        currency,
        usd_per_unit
    from {{ ref('input_fx_rates') }}
    where is_reference
),

services as (
    select
        invoice_id,
        cast(min(period_start_at) as date) as service_from_on
    from {{ ref('input_invoice_lines') }}
    where not is_proration
    group by invoice_id
),

invoices as (
    select
        'invoices' as object,
        'arrived' as change_type,
        {{ month_end('services.service_from_on') }} as month,
        invoices.invoice_id as record_id,
        1 as late_rows,
        case
            when invoices.status in ('open', 'paid', 'uncollectible')
                then {{ in_usd('invoices.total', 'rates.usd_per_unit') }}
        end as amount_usd,
        invoices.known_at
    from {{ ref('input_invoices') }} as invoices
    inner join services on invoices.invoice_id = services.invoice_id
    left join rates on invoices.currency = rates.currency
),

cancellations as (
    select
        'subscriptions' as object,
        'ended' as change_type,
        {{ month_end(utc_date('ended_at')) }} as month,
        subscription_id as record_id,
        1 as late_rows,
        cast(null as decimal(18, 2)) as amount_usd,
        -- An end asked for after it had come was dated back.
        greatest(min(known_at), coalesce(max(cancel_requested_at), min(known_at))) as known_at
    from {{ ref('input_subscription_versions') }}
    where ended_at is not null and status = 'canceled'
    group by subscription_id, {{ month_end(utc_date('ended_at')) }}
),

edits as (
    select
        object,
        'edited' as change_type,
        {{ month_end('effective_on') }} as month,
        record_id,
        1 as late_rows,
        cast(null as decimal(18, 2)) as amount_usd,
        known_at
    from {{ ref('input_record_edits') }}
),

facts as (
    {%- for object, columns in late_facts.items() %}
        select
            '{{ object }}' as object,
            'arrived' as change_type,
            {{ month_end(columns[1]) }} as month,
            {{ columns[0] }} as record_id,
            1 as late_rows,
            cast(null as decimal(18, 2)) as amount_usd,
            known_at
        from {{ ref('input_' ~ object) }}
        {{ 'union all' if not loop.last }}
    {%- endfor %}
),

-- Counted where events are counted, so that no event is read again.
usage as (
    select
        'usage_events' as object,
        'arrived' as change_type,
        {{ month_end('usage_on') }} as month,
        cast(null as {{ dbt.type_string() }}) as record_id,
        sum(events_after_0m) as late_rows,
        cast(null as decimal(18, 2)) as amount_usd,
        max(known_through) as known_at
    from {{ ref('input_usage_daily') }}
    where events_after_0m > 0
    group by {{ month_end('usage_on') }}
),

changes as (
    {%- for part in ['invoices', 'cancellations', 'edits', 'facts', 'usage'] %}
        select
            object,
            change_type,
            month,
            late_rows,
            amount_usd,
            known_at
        from {{ part }}
        {{ 'union all' if not loop.last }}
    {%- endfor %}
)

select
    object,
    change_type,
    month,
    max({{ utc_date('known_at') }}) as last_known_on,
    cast(sum(late_rows) as bigint) as late_rows,
    cast(sum(amount_usd) as decimal(18, 2)) as amount_usd
from changes
where {{ utc_date('known_at') }} > month and known_at < {{ as_of_end() }}
group by object, change_type, month
