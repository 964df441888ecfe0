{# When the newest fact of each optional input happened; none where its rows have no day. #}
{% set clocks = {
    'account_owners': 'owned_from', 'activities': utc_date('event_at'),
    'activity_participants': none, 'cases': utc_date('opened_at'), 'campaigns': 'started_on',
    'campaign_members': utc_date('responded_at'), 'contact_states': utc_date('known_at'),
    'opportunity_contacts': none, 'opportunity_stages': utc_date('entered_at'),
    'credit_notes': utc_date('issued_at'),
    'discounts': utc_date('starts_at'), 'risk_assessments': 'assessed_on',
    'success_measures': 'defined_on', 'success_measurements': 'measured_on',
    'survey_responses': 'responded_on', 'action_plans': 'coalesce(closed_on, opened_on)',
    'action_plan_objectives': 'done_on', 'advocacy_acts': 'occurred_on',
    'story_requests': 'requested_on', 'social_signals': 'occurred_on',
    'trigger_events': 'occurred_on', 'programs': 'started_on',
    'program_enrolments': 'enrolled_on', 'competitors': none, 'objectives': 'period_start_on',
    'incentives': 'valid_from', 'service_levels': 'measured_on',
    'function_costs': month_end('month'), 'usage_daily': 'usage_on',
    'usage_monthly': month_end('month'), 'entitlements': 'entitled_from',
    'features': 'released_on', 'releases': 'released_on', 'record_edits': utc_date('edited_at'),
} %}
with

accounts as (
    select
        account_id,
        owner_id,
        segment,
        unknown_fields,
        arr_usd
    from {{ ref('churn_risk') }}
),

totals as (
    select
        count(*) as accounts,
        cast(sum(arr_usd) as decimal(18, 2)) as arr_usd
    from accounts
),

missing as (
    select
        account_id,
        {{ each_part('unknown_fields', ';') }} as fact
    from accounts
    where unknown_fields is not null
),

-- A fact that nobody described stands here all the same, and fails the rules for want of a remedy.
facts as (
    select fact from {{ ref('known_facts') }}
    union distinct
    select fact from missing
),

unknown_to as (
    select
        missing.fact,
        accounts.account_id,
        accounts.owner_id,
        accounts.segment,
        accounts.arr_usd
    from missing
    inner join accounts on missing.account_id = accounts.account_id
),

concerned as (
    select
        fact,
        count(*) as accounts_unknown,
        cast(sum(arr_usd) as decimal(18, 2)) as arr_unknown_usd
    from unknown_to
    group by fact
),

{% for who in ['owner_id', 'segment'] -%}
    by_{{ who }} as (
        select
            fact,
            {{ who }},
            cast(sum(arr_usd) as decimal(18, 2)) as arr_unknown_usd
        from unknown_to
        where {{ who }} is not null
        group by fact, {{ who }}
    ),

    worst_{{ who }} as (
        select
            fact,
            {{ who }},
            arr_unknown_usd,
            row_number() over (
                partition by fact
                order by arr_unknown_usd desc, {{ who }} asc
            ) as worst_rank
        from by_{{ who }}
    ),

{% endfor -%}
held as (
    {%- for input_name, clock in clocks.items() %}
        select
            '{{ input_name }}' as input_name,
            {{ as_of_date() }} as as_of_on,
            count(*) as rows_known,
            {% if clock -%}
                max({{ come_by(clock) }})
            {%- else -%}
                cast(null as date)
            {%- endif %} as newest_fact_on
        from {{ ref('input_' ~ input_name) }}
        {{ 'union all' if not loop.last }}
    {%- endfor %}
),

landed as (
    select
        input_name,
        {{ each_part('landed_as', ';') }} as landed_table
    from {{ ref('optional_inputs') }}
    where landed_as is not null
),

expected as (
    select
        landed.input_name,
        max(expectations.expected_lag_days) as expected_lag_days
    from landed
    inner join {{ ref('freshness_expectations') }} as expectations
        on landed.landed_table = expectations.source_name || '.' || expectations.table_name
    group by landed.input_name
),

inputs as (
    select
        held.input_name,
        held.rows_known,
        held.newest_fact_on,
        expected.expected_lag_days,
        cast(
            {{ dbt.datediff('held.newest_fact_on', 'held.as_of_on', 'day') }}
            as bigint
        ) as lag_days
    from held
    left join expected on held.input_name = expected.input_name
),

unknowns as (
    select
        'fact' as unknown_type,
        facts.fact as unknown_name,
        known_facts.label,
        known_facts.input_name,
        'churn_risk.knowledge_score' as needed_by,
        known_facts.remedy,
        coalesce(concerned.accounts_unknown, 0) as accounts_unknown,
        coalesce(concerned.arr_unknown_usd, 0) as arr_unknown_usd,
        worst_owner_id.owner_id as worst_owner_id,
        worst_owner_id.arr_unknown_usd as worst_owner_arr_unknown_usd,
        worst_segment.segment as worst_segment,
        worst_segment.arr_unknown_usd as worst_segment_arr_unknown_usd
    from facts
    left join {{ ref('known_facts') }} as known_facts on facts.fact = known_facts.fact
    left join concerned on facts.fact = concerned.fact
    left join worst_owner_id
        on facts.fact = worst_owner_id.fact and worst_owner_id.worst_rank = 1
    left join worst_segment on facts.fact = worst_segment.fact and worst_segment.worst_rank = 1
    union all
    select
        'input' as unknown_type,
        inputs.input_name as unknown_name,
        optional_inputs.label,
        inputs.input_name,
        optional_inputs.needed_by,
        optional_inputs.remedy,
        cast(null as bigint) as accounts_unknown,
        cast(null as decimal(18, 2)) as arr_unknown_usd,
        cast(null as {{ dbt.type_string() }}) as worst_owner_id,
        cast(null as decimal(18, 2)) as worst_owner_arr_unknown_usd,
        cast(null as {{ dbt.type_string() }}) as worst_segment,
        cast(null as decimal(18, 2)) as worst_segment_arr_unknown_usd
    from inputs
    left join {{ ref('optional_inputs') }} as optional_inputs
        on inputs.input_name = optional_inputs.input_name
)

select
    unknowns.unknown_type,
    unknowns.unknown_name,
    unknowns.worst_owner_id,
    inputs.newest_fact_on,
    unknowns.label,
    unknowns.input_name,
    unknowns.needed_by,
    unknowns.remedy,
    unknowns.worst_segment,
    case when unknowns.unknown_type = 'fact' then cast(totals.accounts as bigint) end as accounts,
    cast(unknowns.accounts_unknown as bigint) as accounts_unknown,
    {{ share_of('unknowns.accounts_unknown', 'totals.accounts') }} as unknown_share,
    cast(unknowns.arr_unknown_usd as decimal(18, 2)) as arr_unknown_usd,
    {{ share_of('unknowns.arr_unknown_usd', 'totals.arr_usd') }} as arr_unknown_share,
    unknowns.worst_owner_arr_unknown_usd,
    unknowns.worst_segment_arr_unknown_usd,
    cast(inputs.rows_known as bigint) as input_rows,
    inputs.lag_days,
    cast(inputs.expected_lag_days as bigint) as expected_lag_days,
    inputs.rows_known = 0 as is_input_empty,
    case
        when inputs.expected_lag_days is not null
            then coalesce(inputs.lag_days > inputs.expected_lag_days, false)
    end as is_input_stale,
    case
        when unknowns.unknown_type = 'fact' then unknowns.accounts_unknown > 0
        else
            inputs.rows_known = 0
            or coalesce(inputs.lag_days > inputs.expected_lag_days, false)
    end as is_unknown
from unknowns
cross join totals
left join inputs on unknowns.input_name = inputs.input_name
