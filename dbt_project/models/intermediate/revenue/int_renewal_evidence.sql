{% set leads = [180, 90, 60] %}
{# Who broke off inside the term had left by its due date: there was nothing more to see by then. #}
{% set leaves_on = "case when outcome = 'lost' then ended_on else due_on end" %}
with

terms as (
    select
        contract_term_id,
        account_id,
        started_on,
        {% for lead in leads -%}
            {{ last_month_end(days_after('due_on', -lead)) }} as seen_on_d{{ lead }},
        {% endfor -%}
        {{ last_month_end(days_after(leaves_on, -90)) }} as seen_before_leaving_on,
        due_on
    from {{ ref('fct_contract_terms') }}
),

signals as (
    select
        account_id,
        month_end_on,
        is_sponsor_gone,
        is_executive_silent,
        is_primary_need_breached,
        is_value_unproven,
        has_competitor_signal,
        has_payment_trouble,
        is_usage_falling,
        is_support_strained,
        has_detractor,
        signals_present,
        signals_known
    from {{ ref('int_account_signals') }}
),

people as (
    select
        account_id,
        month_end_on,
        directors_departed_12m,
        has_champion
    from {{ ref('int_people_account_months') }}
),

cases as (
    select
        account_id,
        month_end_on,
        feature_requests_12m
    from {{ ref('int_case_account_months') }}
),

reasons as (
    select
        stated_reasons.reason,
        stated_reasons.driver,
        drivers.trust_in_words
    from {{ ref('stated_reasons') }} as stated_reasons
    inner join {{ ref('departure_driver_functions') }} as drivers
        on stated_reasons.driver = drivers.driver
),

opportunities as (
    select
        account_id,
        opportunity_id,
        opportunity_type,
        billing_subscription_id,
        closed_on,
        loss_reason,
        acquisition_cost_usd,
        is_won
    from {{ ref('fct_opportunities') }}
    where is_closed
),

contracts as (
    select
        subscription_id,
        cancellation_reason
    from {{ ref('int_contracts') }}
),

facts as (
    select
        contract_term_id,
        subscription_id,
        account_id,
        started_on,
        due_on,
        outcome,
        ended_on,
        is_involuntary
    from {{ ref('fct_contract_terms') }}
),

-- What the customer said: the lost renewal in the CRM nearest to the end; else the reason given to
-- billing.
said as (
    select
        facts.contract_term_id,
        opportunities.loss_reason,
        opportunities.closed_on,
        row_number() over (
            partition by facts.contract_term_id
            order by opportunities.closed_on desc, opportunities.opportunity_id asc
        ) as newest_rank
    from facts
    inner join opportunities
        on
            facts.account_id = opportunities.account_id
            and opportunities.opportunity_type = 'renewal'
            and not opportunities.is_won
            and opportunities.loss_reason is not null
            and facts.started_on < opportunities.closed_on
            and opportunities.closed_on
            <= {{ days_after('facts.due_on', var('renewal_grace_days')) }}
    where facts.outcome = 'lost'
),

stated as (
    select
        facts.contract_term_id,
        coalesce(said.loss_reason, contracts.cancellation_reason) as stated_reason,
        said.closed_on as reason_recorded_on
    from facts
    left join contracts on facts.subscription_id = contracts.subscription_id
    left join said on facts.contract_term_id = said.contract_term_id and said.newest_rank = 1
    where facts.outcome = 'lost'
),

understood as (
    select
        stated.contract_term_id,
        stated.stated_reason,
        stated.reason_recorded_on,
        reasons.driver as driver_stated,
        reasons.trust_in_words
    from stated
    left join reasons
        on
            replace(replace(lower(trim(stated.stated_reason)), ' ', '_'), '-', '_')
            = reasons.reason
),

-- What was known 90 days before the customer left.
seen as (
    select
        terms.contract_term_id,
        signals.is_sponsor_gone,
        signals.is_executive_silent,
        signals.is_primary_need_breached,
        signals.is_value_unproven,
        signals.has_competitor_signal,
        signals.has_payment_trouble,
        signals.is_usage_falling,
        signals.is_support_strained,
        signals.has_detractor,
        not people.has_champion as is_champion_missing,
        people.directors_departed_12m > 0 as has_director_left,
        cases.feature_requests_12m > 0 as has_feature_request
    from terms
    left join signals
        on
            terms.account_id = signals.account_id
            and terms.seen_before_leaving_on = signals.month_end_on
    left join people
        on
            terms.account_id = people.account_id
            and terms.seen_before_leaving_on = people.month_end_on
    left join cases
        on
            terms.account_id = cases.account_id
            and terms.seen_before_leaving_on = cases.month_end_on
),

shown as (
    select
        seen.contract_term_id,
        {{ evidenced_driver('seen') }} as driver_seen
    from seen
),

-- Do our own records bear out what the customer said?
checked as (
    select
        facts.contract_term_id,
        facts.is_involuntary,
        understood.stated_reason,
        understood.reason_recorded_on,
        understood.driver_stated,
        understood.trust_in_words,
        coalesce({{ confirmed_by_data('understood.driver_stated', 'seen') }}, false)
            as is_stated_confirmed,
        coalesce(seen.is_primary_need_breached or seen.is_sponsor_gone, false) as has_hard_fact,
        shown.driver_seen
    from facts
    inner join seen on facts.contract_term_id = seen.contract_term_id
    inner join shown on facts.contract_term_id = shown.contract_term_id
    left join understood on facts.contract_term_id = understood.contract_term_id
),

-- Words and data weighed against each other.
weighed as (
    select
        contract_term_id,
        case
            when is_involuntary then 'payment_failed'
            when trust_in_words = 'full' or is_stated_confirmed then driver_stated
            when has_hard_fact then driver_seen
            when trust_in_words = 'unless_refuted' then driver_stated
            else coalesce(driver_seen, driver_stated)
        end as driver_evidenced
    from checked
),

-- What winning the same customer back has cost since, each win counted for the loss before it.
win_backs as (
    select
        facts.contract_term_id,
        opportunities.opportunity_id,
        opportunities.acquisition_cost_usd,
        row_number() over (
            partition by opportunities.opportunity_id
            order by facts.ended_on desc, facts.contract_term_id asc
        ) as nearest_rank
    from facts
    inner join opportunities
        on
            facts.account_id = opportunities.account_id
            and opportunities.opportunity_type = 'win_back'
            and opportunities.is_won
            and facts.ended_on <= opportunities.closed_on
    where facts.outcome = 'lost'
),

resells as (
    select
        contract_term_id,
        cast(sum(acquisition_cost_usd) as decimal(18, 2)) as resell_cost_usd
    from win_backs
    where nearest_rank = 1
    group by contract_term_id
),

-- The first month-end of the term at which any warning could be seen.
first_signs as (
    select
        terms.contract_term_id,
        min(signals.month_end_on) as earliest_signal_on
    from terms
    inner join signals
        on
            terms.account_id = signals.account_id
            and terms.started_on <= signals.month_end_on
            and terms.due_on > signals.month_end_on
    where signals.signals_present > 0
    group by terms.contract_term_id
)

select
    facts.contract_term_id,
    first_signs.earliest_signal_on,
    {%- for lead in leads %}
        case
            when
                seen_{{ lead }}.signals_known > 0
                then cast(seen_{{ lead }}.signals_present as bigint)
        end
            as signals_present_at_d{{ lead }},
    {%- endfor %}
    seen.is_sponsor_gone,
    seen.is_executive_silent,
    seen.is_primary_need_breached,
    seen.is_value_unproven,
    seen.has_competitor_signal,
    seen.has_payment_trouble,
    seen.is_usage_falling,
    seen.is_support_strained,
    seen.has_detractor,
    seen.is_champion_missing,
    seen.has_director_left,
    seen.has_feature_request,
    checked.stated_reason,
    checked.reason_recorded_on,
    checked.driver_stated,
    checked.driver_seen,
    weighed.driver_evidenced,
    checked.is_stated_confirmed,
    resells.resell_cost_usd
from facts
inner join terms on facts.contract_term_id = terms.contract_term_id
inner join seen on facts.contract_term_id = seen.contract_term_id
inner join checked on facts.contract_term_id = checked.contract_term_id
inner join weighed on facts.contract_term_id = weighed.contract_term_id
{%- for lead in leads %}
    left join signals as seen_{{ lead }}
        on
            terms.account_id = seen_{{ lead }}.account_id
            and terms.seen_on_d{{ lead }} = seen_{{ lead }}.month_end_on
{%- endfor %}
left join resells on facts.contract_term_id = resells.contract_term_id
left join first_signs on facts.contract_term_id = first_signs.contract_term_id
