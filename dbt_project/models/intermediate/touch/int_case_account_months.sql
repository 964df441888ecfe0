with

observations as (
    select
        account_id,
        observed_on,
        month_end_on,
        month_number
    from {{ ref('int_account_observations') }}
),

-- A case is known when it is opened and its answers when they happen; the clock of its newest
-- version would hide an open case until it is closed.
cases as (
    select
        accounts.account_id,
        cases.case_type,
        cases.priority,
        cast(cases.opened_at as date) as opened_on,
        cast(cases.closed_at as date) as closed_on,
        {{ hours_between('cases.opened_at', 'cases.first_response_at') }} as response_hours,
        {{ hours_between('cases.opened_at', 'cases.closed_at') }} as resolution_hours,
        cast(cases.first_response_at as date) as responded_on,
        cases.csat_score,
        cases.handoffs,
        cases.is_bug_confirmed
    from {{ ref('input_cases') }} as cases
    inner join {{ ref('int_account_map') }} as accounts
        on cases.account_id = accounts.source_account_id
    where cases.opened_at < {{ as_of_end() }}
),

months_later as (
    {{ months_later(12) }}
),

recent as (
    select
        observations.account_id,
        observations.observed_on,
        {{ month_index('cases.opened_on') }} = observations.month_number as is_in_month,
        {{ within_days('cases.opened_on', 'observations.observed_on', 90) }} as is_in_90d,
        cases.case_type,
        cases.priority,
        cases.opened_on,
        cases.is_bug_confirmed,
        cases.closed_on <= observations.observed_on as is_closed,
        case when cases.responded_on <= observations.observed_on then cases.response_hours end
            as response_hours,
        case when cases.closed_on <= observations.observed_on then cases.resolution_hours end
            as resolution_hours,
        case when cases.closed_on <= observations.observed_on then cases.csat_score end
            as csat_score,
        case when cases.closed_on <= observations.observed_on then cases.handoffs end as handoffs
    from cases
    cross join months_later
    inner join observations
        on
            cases.account_id = observations.account_id
            and {{ month_index('cases.opened_on') }} + months_later.months_later
            = observations.month_number
    where
        cases.opened_on <= observations.observed_on
        and {{ within_days('cases.opened_on', 'observations.observed_on', 365) }}
),

windows as (
    select
        account_id,
        observed_on,
        sum(case when is_in_month then 1 else 0 end) as cases_opened,
        sum(case when is_in_90d then 1 else 0 end) as cases_opened_90d,
        sum(case when is_in_90d and priority in ('high', 'critical') then 1 else 0 end)
            as urgent_cases_90d,
        sum(case when is_in_90d and case_type = 'bug' then 1 else 0 end) as bug_cases_90d,
        count(*) as cases_opened_12m,
        sum(case when coalesce(is_closed, false) then 0 else 1 end) as cases_open,
        sum(case when case_type = 'feature_request' then 1 else 0 end) as feature_requests_12m,
        sum(case when is_bug_confirmed and is_closed then 1 else 0 end) as bugs_confirmed_12m,
        max(opened_on) as last_case_on,
        {{ stable(
            'avg(' ~ exact('case when is_in_90d then response_hours end') ~ ')', 6
        ) }} as response_hours_90d,
        {{ stable(
            'avg(' ~ exact('case when is_in_90d then resolution_hours end') ~ ')', 6
        ) }}
            as resolution_hours_90d,
        {{ stable(
            'avg(' ~ exact('case when is_in_90d then handoffs end') ~ ')', 6
        ) }} as handoffs_per_case_90d,
        {{ stable(
            'avg(' ~ exact('case when is_in_90d then csat_score end') ~ ')', 6
        ) }} as case_csat_90d,
        {{ stable('avg(' ~ exact('csat_score') ~ ')', 6) }} as case_csat_12m
    from recent
    group by account_id, observed_on
),

-- Zero cases is a fact only where cases are recorded at all.
coverage as (
    select min(opened_on) as recorded_from_on
    from cases
)

select
    observations.account_id,
    observations.observed_on,
    observations.month_end_on,
    windows.last_case_on,
    {% for measure in [
        'cases_opened', 'cases_opened_90d', 'urgent_cases_90d', 'bug_cases_90d', 'cases_opened_12m',
        'cases_open', 'feature_requests_12m', 'bugs_confirmed_12m',
    ] -%}
        case
            when observations.observed_on >= coverage.recorded_from_on
                then cast(coalesce(windows.{{ measure }}, 0) as bigint)
        end as {{ measure }},
    {% endfor -%}
    windows.response_hours_90d,
    windows.resolution_hours_90d,
    windows.handoffs_per_case_90d,
    windows.case_csat_90d,
    windows.case_csat_12m
from observations
cross join coverage
left join windows
    on
        observations.account_id = windows.account_id
        and observations.observed_on = windows.observed_on
