{# Days without a word after which a customer counts as silent. #}
{% set silent_days = 90 %}
{# Newest NPS score up to which a customer is unhappy; a term of more months binds beyond a year. #}
{% set unhappy_score, bound_months = 6, 12 %}
{# A company that credits in dollars only need not keep a rate for them. #}
{% set usd_is_one = "case when notes.currency = 'USD' then 1.0 end" %}
{# Connections to a rival's people in 28 days, at least so many and so far above the own mean. #}
{% set burst_connections, burst_deviations = 3, 3 %}
with

months as (
    select
        account_id,
        month_end_on,
        {{ month_index('month_end_on') }} as month_number,
        segment,
        region,
        closing_arr_usd
    from {{ ref('fct_account_months') }}
    where is_active
),

months_later as (
    {{ months_later(12) }}
),

surveys as (
    select
        account_id,
        observed_on,
        last_response_on,
        responses_12m,
        nps_responses_12m,
        nps_last_score,
        nps_12m,
        monthly_answers_12m
    from {{ ref('int_survey_account_months') }}
),

heard as (
    select
        account_id,
        observed_on,
        month_end_on,
        advocacy_acts_12m,
        advocacy_acts_24m,
        mentions_90d,
        competitor_connections_28d,
        avg(competitor_connections_28d) over year_before as connections_mean,
        stddev_pop(competitor_connections_28d) over year_before as connections_deviation,
        count(competitor_connections_28d) over year_before as months_compared
    from {{ ref('int_voice_account_months') }}
    window
        year_before as (
            partition by account_id
            order by month_end_on
            rows between 12 preceding and 1 preceding
        )
),

touches as (
    select
        account_id,
        observed_on,
        last_two_way_touch_on
    from {{ ref('int_touch_account_months') }}
),

cases as (
    select
        account_id,
        observed_on,
        last_case_on,
        handoffs_per_case_90d
    from {{ ref('int_case_account_months') }}
),

people as (
    select
        account_id,
        observed_on,
        contacts
    from {{ ref('int_people_account_months') }}
),

-- Whoever answered a campaign or came, where the person worked that day.
engagements as (
    select
        states.account_id,
        members.campaign_id,
        states.person_id,
        {{ utc_date('members.responded_at') }} as engaged_on,
        {{ visible_on('members.responded_at', 'members.known_at') }} as visible_on
    from {{ ref('input_campaign_members') }} as members
    inner join {{ ref('int_person_map') }} as persons on members.contact_id = persons.contact_id
    inner join {{ ref('int_person_states') }} as states
        on
            persons.person_id = states.person_id
            and {{ utc_date('members.responded_at') }} >= states.visible_from_on
            and (
                states.visible_to_on is null
                or {{ utc_date('members.responded_at') }} < states.visible_to_on
            )
    where members.has_responded and members.responded_at is not null and not states.is_gone
),

engaged as (
    select
        months.account_id,
        months.month_end_on,
        count(distinct engagements.campaign_id || '/' || engagements.person_id) as engagements_12m,
        max(engagements.engaged_on) as last_engaged_on
    from engagements
    cross join months_later
    inner join months
        on
            engagements.account_id = months.account_id
            and {{ month_index('engagements.engaged_on') }} + months_later.months_later
            = months.month_number
    where
        engagements.visible_on <= months.month_end_on
        and {{ within_days('engagements.engaged_on', 'months.month_end_on', 365) }}
    group by months.account_id, months.month_end_on
),

engagement_coverage as (
    select min(visible_on) as recorded_from_on
    from engagements
),

social_touches as (
    select
        touches.account_id,
        touches.activity_id,
        reached.person_id,
        touches.event_on,
        touches.visible_on
    from {{ ref('int_touches') }} as touches
    left join {{ ref('int_touch_people') }} as reached on touches.activity_id = reached.activity_id
    where touches.activity_type = 'social' and touches.account_id is not null
),

followed as (
    select
        months.account_id,
        months.month_end_on,
        count(
            distinct case
                when {{ within_days('social_touches.event_on', 'months.month_end_on', 90) }}
                    then social_touches.activity_id
            end
        ) as social_touches_90d,
        count(distinct social_touches.person_id) as people_followed_12m
    from social_touches
    cross join months_later
    inner join months
        on
            social_touches.account_id = months.account_id
            and {{ month_index('social_touches.event_on') }} + months_later.months_later
            = months.month_number
    where
        social_touches.visible_on <= months.month_end_on
        and {{ within_days('social_touches.event_on', 'months.month_end_on', 365) }}
    group by months.account_id, months.month_end_on
),

touch_coverage as (
    select
        min(touches.visible_on) as recorded_from_on,
        count(people.person_id) > 0 as are_people_recorded
    from {{ ref('int_touches') }} as touches
    left join {{ ref('int_touch_people') }} as people
        on touches.activity_id = people.activity_id
),

signals as (
    select
        account_id,
        signal_type,
        competitor_id,
        occurred_on,
        {{ visible_on('occurred_on', 'known_at') }} as visible_on
    from {{ ref('fct_social_signals') }}
    where account_id is not null
),

mentioned as (
    select
        months.account_id,
        months.month_end_on,
        max(signals.occurred_on) as last_mention_on
    from signals
    cross join months_later
    inner join months
        on
            signals.account_id = months.account_id
            and {{ month_index('signals.occurred_on') }} + months_later.months_later
            = months.month_number
    where signals.signal_type = 'mention' and signals.visible_on <= months.month_end_on
    group by months.account_id, months.month_end_on
),

customers as (
    select
        billing_customer_id,
        account_id
    from {{ ref('int_billing_customer_map') }}
    where account_id is not null
),

reference_rates as (
    select
        currency,
        usd_per_unit
    from {{ ref('input_fx_rates') }}
    where is_reference
),

credits as (
    select
        customers.account_id,
        {{ utc_date('notes.issued_at') }} as issued_on,
        cast(
            notes.amount * coalesce(reference_rates.usd_per_unit, {{ usd_is_one }})
            as decimal(18, 2)
        ) as amount_usd
    from {{ ref('input_credit_notes') }} as notes
    inner join customers on notes.billing_customer_id = customers.billing_customer_id
    left join reference_rates on notes.currency = reference_rates.currency
),

credited as (
    select
        months.account_id,
        months.month_end_on,
        sum(credits.amount_usd) as credits_usd_12m
    from credits
    cross join months_later
    inner join months
        on
            credits.account_id = months.account_id
            and {{ month_index('credits.issued_on') }} + months_later.months_later
            = months.month_number
    where
        credits.issued_on <= months.month_end_on
        and {{ within_days('credits.issued_on', 'months.month_end_on', 365) }}
    group by months.account_id, months.month_end_on
),

-- Whoever gives no credit has no credit notes; only from the first on is none a fact.
credit_coverage as (
    select min(issued_on) as recorded_from_on
    from credits
),

bound as (
    select distinct
        months.account_id,
        months.month_end_on
    from months
    inner join {{ ref('fct_contract_terms') }} as terms
        on
            months.account_id = terms.account_id
            and months.month_end_on >= terms.started_on
            and months.month_end_on < coalesce(terms.ended_on, terms.due_on)
    where terms.term_months > {{ bound_months }} and not terms.is_evergreen
),

rivals as (
    select
        months.account_id,
        months.month_end_on,
        signals.competitor_id,
        row_number() over (
            partition by months.account_id, months.month_end_on
            order by count(*) desc, signals.competitor_id asc
        ) as rival_rank
    from signals
    cross join months_later
    inner join months
        on
            signals.account_id = months.account_id
            and {{ month_index('signals.occurred_on') }} + months_later.months_later
            = months.month_number
    where
        signals.signal_type = 'competitor_connection'
        and signals.competitor_id is not null
        and months_later.months_later <= 1
        and signals.visible_on <= months.month_end_on
        and {{ within_days('signals.occurred_on', 'months.month_end_on', 28) }}
    group by months.account_id, months.month_end_on, signals.competitor_id
),

acts as (
    select
        account_id,
        person_id,
        occurred_on,
        {{ visible_on('occurred_on', 'known_at') }} as visible_on
    from {{ ref('fct_advocacy') }}
    where account_id is not null and person_id is not null
),

advocates as (
    select
        months.account_id,
        months.month_end_on,
        count(distinct acts.person_id) as advocates_12m
    from acts
    cross join months_later
    inner join months
        on
            acts.account_id = months.account_id
            and {{ month_index('acts.occurred_on') }} + months_later.months_later
            = months.month_number
    where
        acts.visible_on <= months.month_end_on
        and {{ within_days('acts.occurred_on', 'months.month_end_on', 365) }}
    group by months.account_id, months.month_end_on
),

measured as (
    select
        months.account_id,
        months.month_end_on,
        months.segment,
        months.region,
        months.closing_arr_usd,
        surveys.responses_12m,
        surveys.nps_last_score,
        surveys.nps_12m,
        surveys.nps_responses_12m,
        surveys.monthly_answers_12m,
        heard.mentions_90d,
        heard.advocacy_acts_12m,
        heard.advocacy_acts_24m,
        heard.competitor_connections_28d,
        case
            when heard.months_compared >= 12
                then
                    heard.competitor_connections_28d >= {{ burst_connections }}
                    and heard.competitor_connections_28d
                    > heard.connections_mean
                    + {{ burst_deviations }} * heard.connections_deviation
        end as has_competitor_connect_burst,
        cases.handoffs_per_case_90d,
        people.contacts,
        case
            when months.month_end_on >= engagement_coverage.recorded_from_on
                then coalesce(engaged.engagements_12m, 0)
        end as community_engagements_12m,
        case
            when months.month_end_on >= touch_coverage.recorded_from_on
                then coalesce(followed.social_touches_90d, 0)
        end as social_touches_90d,
        case
            when
                months.month_end_on >= touch_coverage.recorded_from_on
                and touch_coverage.are_people_recorded
                then coalesce(followed.people_followed_12m, 0)
        end as people_followed_12m,
        case
            when heard.advocacy_acts_12m is not null then coalesce(advocates.advocates_12m, 0)
        end as advocates_12m,
        case
            when months.month_end_on >= credit_coverage.recorded_from_on
                then coalesce(credited.credits_usd_12m, 0)
        end as credits_usd_12m,
        bound.account_id is not null as is_bound,
        rivals.competitor_id as busiest_competitor_id,
        -- Each is null where nothing was ever heard; the newest of the others counts.
        greatest(
            coalesce(surveys.last_response_on, cast('1900-01-01' as date)),
            coalesce(touches.last_two_way_touch_on, cast('1900-01-01' as date)),
            coalesce(cases.last_case_on, cast('1900-01-01' as date)),
            coalesce(engaged.last_engaged_on, cast('1900-01-01' as date)),
            coalesce(mentioned.last_mention_on, cast('1900-01-01' as date))
        ) as last_heard_on,
        months.month_end_on >= touch_coverage.recorded_from_on
        or surveys.responses_12m is not null as is_listened_to
    from months
    cross join engagement_coverage
    cross join touch_coverage
    cross join credit_coverage
    {% for name in ['surveys', 'heard', 'touches', 'cases', 'people'] -%}
        left join {{ name }}
            on
                months.account_id = {{ name }}.account_id
                and months.month_end_on = {{ name }}.observed_on
    {% endfor -%}
    {% for name in ['engaged', 'followed', 'mentioned', 'advocates', 'credited', 'bound'] -%}
        left join {{ name }}
            on
                months.account_id = {{ name }}.account_id
                and months.month_end_on = {{ name }}.month_end_on
    {% endfor -%}
    left join rivals
        on
            months.account_id = rivals.account_id
            and months.month_end_on = rivals.month_end_on
            and rivals.rival_rank = 1
)

select
    account_id,
    month_end_on,
    case when last_heard_on > cast('1900-01-01' as date) then last_heard_on end as last_heard_on,
    segment,
    region,
    case
        when advocacy_acts_12m > 0 then 'advocate'
        when advocacy_acts_24m > 0 then 'past_advocate'
        when nps_last_score >= 9 then 'promoter'
        when nps_last_score >= 7 then 'passive'
        when nps_last_score is not null then 'detractor'
        when nps_responses_12m = 0 then 'unheard'
    end as advocacy_stage,
    case when has_competitor_connect_burst then busiest_competitor_id end as burst_competitor_id,
    closing_arr_usd,
    nps_last_score as nps_last,
    nps_12m,
    nps_responses_12m,
    {{ stable('1.0 * nps_responses_12m / nullif(contacts, 0)') }} as nps_coverage_rate,
    monthly_answers_12m,
    mentions_90d,
    community_engagements_12m,
    social_touches_90d,
    {{ stable('1.0 * people_followed_12m / nullif(contacts, 0)') }} as contacts_followed_rate,
    advocates_12m,
    advocacy_acts_12m as recommendations_12m,
    competitor_connections_28d,
    handoffs_per_case_90d,
    cast(credits_usd_12m as decimal(18, 2)) as credits_usd_12m,
    case
        when last_heard_on > cast('1900-01-01' as date)
            then cast({{ dbt.datediff('last_heard_on', 'month_end_on', 'day') }} as bigint)
    end as silence_days,
    case
        when is_listened_to
            then last_heard_on <= {{ days_after('month_end_on', 0 - silent_days) }}
    end as is_indifferent,
    responses_12m = 0 as is_assumed_happy,
    has_competitor_connect_burst,
    case when nps_last_score is not null then nps_last_score <= {{ unhappy_score }} and is_bound end
        as is_unhappy_locked_in
from measured
