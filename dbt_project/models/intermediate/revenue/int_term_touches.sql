with

terms as (
    select
        contract_term_id,
        account_id,
        started_on,
        due_on,
        -- What has not happened yet is neither touched nor silent.
        least(due_on, coalesce(ended_on, due_on), {{ as_of_date() }}) as watched_to
    from {{ ref('fct_contract_terms') }}
    where started_on < {{ as_of_date() }}
),

touches as (
    select
        account_id,
        event_on,
        employee_function,
        coalesce(has_director_plus, false) as has_director_plus
    from {{ ref('fct_touchpoints') }}
    where account_id is not null and event_on <= {{ as_of_date() }}
),

-- No director among them is one only where it is known who took part, and at which level.
levels_recorded as (
    select count(has_director_plus) > 0 as is_recorded
    from {{ ref('fct_touchpoints') }}
),

opportunities as (
    select
        opportunity_id,
        account_id,
        created_on
    from {{ ref('fct_opportunities') }}
    where opportunity_type = 'renewal'
),

-- Silence before activities were recorded at all is not knowing.
coverage as (
    select min(event_on) as recorded_from_on
    from touches
),

inside as (
    select
        terms.contract_term_id,
        terms.started_on,
        terms.watched_to,
        terms.due_on,
        touches.event_on,
        touches.has_director_plus,
        touches.employee_function
    from terms
    inner join coverage on terms.started_on >= coverage.recorded_from_on
    inner join touches
        on
            terms.account_id = touches.account_id
            and terms.started_on <= touches.event_on
            and terms.watched_to > touches.event_on
),

kinds as (
    select
        contract_term_id,
        event_on,
        'any' as kind
    from inside
    union all
    select
        contract_term_id,
        event_on,
        'director' as kind
    from inside
    where has_director_plus
    union all
    select
        contract_term_id,
        event_on,
        'sales' as kind
    from inside
    where employee_function = 'sales'
    union all
    -- The middle of a term: not its first ninety days, in which it is set up, nor its last, in
    -- which it is sold.
    select
        contract_term_id,
        event_on,
        'middle' as kind
    from inside
    where
        event_on >= {{ days_after('started_on', 90) }}
        and event_on < {{ days_after('due_on', -90) }}
),

-- Gaps open with the term and close with it, so that a term without any touch is one gap.
bounds as (
    {%- for kind in ['any', 'director', 'sales'] %}
        select
            terms.contract_term_id,
            terms.started_on as event_on,
            '{{ kind }}' as kind
        from terms
        inner join coverage on terms.started_on >= coverage.recorded_from_on
        union all
        select
            terms.contract_term_id,
            terms.watched_to as event_on,
            '{{ kind }}' as kind
        from terms
        inner join coverage on terms.started_on >= coverage.recorded_from_on
        union all
    {%- endfor %}
    select
        terms.contract_term_id,
        {{ days_after('terms.started_on', 90) }} as event_on,
        'middle' as kind
    from terms
    inner join coverage on terms.started_on >= coverage.recorded_from_on
    where {{ days_after('terms.started_on', 90) }}
        < least(terms.watched_to, {{ days_after('terms.due_on', -90) }})
    union all
    select
        terms.contract_term_id,
        least(terms.watched_to, {{ days_after('terms.due_on', -90) }}) as event_on,
        'middle' as kind
    from terms
    inner join coverage on terms.started_on >= coverage.recorded_from_on
    where {{ days_after('terms.started_on', 90) }}
        < least(terms.watched_to, {{ days_after('terms.due_on', -90) }})
),

days as (
    select
        contract_term_id,
        kind,
        event_on
    from kinds
    union
    select
        contract_term_id,
        kind,
        event_on
    from bounds
),

gaps as (
    select
        contract_term_id,
        kind,
        {{ dbt.datediff(
            'lag(event_on) over (partition by contract_term_id, kind order by event_on)',
            'event_on', 'day'
        ) }} as gap_days
    from days
),

longest as (
    select
        contract_term_id,
        max(case when kind = 'any' then gap_days end) as longest_silence_days,
        max(case when kind = 'director' then gap_days end) as longest_touch_gap_days,
        max(case when kind = 'sales' then gap_days end) as sales_touch_gap_days,
        max(case when kind = 'middle' then gap_days end) as silent_middle_days
    from gaps
    group by contract_term_id
),

counts as (
    select
        contract_term_id,
        count(case when kind = 'any' then 1 end) as touches_in_term,
        count(case when kind = 'middle' then 1 end) as touches_in_mid_term,
        count(case when kind = 'director' then 1 end) as director_touches_in_term
    from kinds
    group by contract_term_id
),

-- The renewal is begun when somebody opens it in the CRM.
renewal_starts as (
    select
        terms.contract_term_id,
        min(opportunities.created_on) as renewal_opened_on
    from terms
    inner join opportunities
        on
            terms.account_id = opportunities.account_id
            and terms.started_on <= opportunities.created_on
            and terms.due_on > opportunities.created_on
    group by terms.contract_term_id
)

select
    terms.contract_term_id,
    renewal_starts.renewal_opened_on,
    cast(
        {{ dbt.datediff('renewal_starts.renewal_opened_on', 'terms.due_on', 'day') }}
        as bigint
    ) as first_renewal_touch_days_before_due,
    cast(
        case
            when longest.contract_term_id is not null then coalesce(counts.touches_in_term, 0)
        end as bigint
    )
        as touches_in_term,
    cast(
        case
            when longest.contract_term_id is not null then coalesce(counts.touches_in_mid_term, 0)
        end as bigint
    )
        as touches_in_mid_term,
    cast(
        case
            when
                longest.contract_term_id is not null and levels_recorded.is_recorded
                then coalesce(counts.director_touches_in_term, 0)
        end as bigint
    )
        as director_touches_in_term,
    case
        when levels_recorded.is_recorded then cast(longest.longest_touch_gap_days as bigint)
    end as longest_touch_gap_days,
    cast(longest.sales_touch_gap_days as bigint) as sales_touch_gap_days,
    cast(longest.silent_middle_days as bigint) as silent_middle_days,
    {{ stable(
        'longest.longest_silence_days * 1.0 / nullif('
        ~ dbt.datediff('terms.started_on', 'terms.watched_to', 'day') ~ ', 0)'
    ) }} as silent_share_of_term
from terms
cross join levels_recorded
left join longest on terms.contract_term_id = longest.contract_term_id
left join counts on terms.contract_term_id = counts.contract_term_id
left join renewal_starts on terms.contract_term_id = renewal_starts.contract_term_id
