{#
    Keys that lead nowhere. Every input that names an account is asked, so that no fact is lost from
    the marts without being listed. `id` names the record, several columns joined by |.
#}
{% set account_keys = {
    'contacts': ['contact_id', 'created_at'],
    'opportunities': ['opportunity_id', 'known_at'],
    'activities': ['activity_id', 'known_at'],
    'cases': ['case_id', 'known_at'],
    'success_measures': ['success_measure_id', 'known_at'],
    'success_measurements': ['success_measurement_id', 'known_at'],
    'service_levels': [
        "account_id || '|' || cast(measured_on as varchar) || '|' || kpi_name", 'known_at'
    ],
    'risk_assessments': ['risk_assessment_id', 'known_at'],
    'action_plans': ['action_plan_id', 'known_at'],
    'program_enrolments': ["program_id || '|' || account_id", 'known_at'],
    'survey_responses': ['survey_response_id', 'known_at'],
    'advocacy_acts': ['advocacy_act_id', 'known_at'],
    'trigger_events': ['trigger_event_id', 'known_at'],
    'social_signals': ['social_signal_id', 'known_at'],
    'story_requests': ['story_request_id', day_start('requested_on')],
    'objectives': ['employee_objective_id', day_start('period_start_on')],
    'entitlements': [
        "account_id || '|' || feature_id || '|' || cast(entitled_from as varchar)",
        day_start('entitled_from'),
    ],
} %}
with

known_accounts as (
    select source_account_id as account_id
    from {{ ref('int_account_map') }}
),

named_accounts as (
    {%- for object, columns in account_keys.items() %}
        select
            '{{ object }}' as object,
            {{ columns[0] }} as record_id,
            account_id as other_id,
            'account_id' as detail,
            {{ columns[1] }} as known_at
        from {{ ref('input_' ~ object) }}
        where account_id is not null
        {{ 'union all' if not loop.last }}
    {%- endfor %}
    union all
    -- The CRM writes account ids in two lengths, the short one the beginning of the long one.
    select
        'customers' as object,
        claims.billing_customer_id as record_id,
        coalesce(short_ids.account_id, claims.claimed_account_id) as other_id,
        'account_id' as detail,
        claims.known_at
    from {{ ref('input_customer_claims') }} as claims
    left join {{ ref('input_accounts') }} as short_ids
        on claims.claimed_account_id = substr(short_ids.account_id, 1, 15)
    where claims.claimed_account_id is not null
),

lost_accounts as (
    select
        named.object,
        named.record_id,
        named.other_id,
        named.detail,
        named.known_at
    from named_accounts as named
    left join known_accounts on named.other_id = known_accounts.account_id
    where known_accounts.account_id is null
),

lost_customers as (
    select
        'accounts' as object,
        accounts.account_id as record_id,
        accounts.billing_customer_id as other_id,
        'billing_customer_id' as detail,
        accounts.created_at as known_at
    from {{ ref('input_accounts') }} as accounts
    left join {{ ref('input_customers') }} as customers
        on accounts.billing_customer_id = customers.billing_customer_id
    where accounts.billing_customer_id is not null and customers.billing_customer_id is null
),

known_subscriptions as (
    select distinct subscription_id
    from {{ ref('input_subscription_versions') }}
),

lost_subscriptions as (
    select
        'opportunities' as object,
        deals.opportunity_id as record_id,
        deals.billing_subscription_id as other_id,
        'billing_subscription_id' as detail,
        coalesce({{ day_start('deals.closed_on') }}, deals.known_at) as known_at
    from {{ ref('input_opportunities') }} as deals
    left join known_subscriptions as subscriptions
        on deals.billing_subscription_id = subscriptions.subscription_id
    where deals.billing_subscription_id is not null and subscriptions.subscription_id is null
)

select
    object,
    record_id,
    other_id,
    detail,
    known_at
from lost_accounts
union all
select
    object,
    record_id,
    other_id,
    detail,
    known_at
from lost_customers
union all
select
    object,
    record_id,
    other_id,
    detail,
    known_at
from lost_subscriptions
