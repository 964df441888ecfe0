{% set leads = [180, 90, 60] %}
with

terms as (
    select
        contract_term_id,
        account_id,
        started_on,
        {% for lead in leads -%}
            {{ last_month_end(days_after('due_on', -lead)) }} as seen_on_d{{ lead }},
        {% endfor -%}
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
        ended_on
    from {{ ref('fct_contract_terms') }}
),

-- What the customer said: the lost renewal in the CRM nearest to the end; else the reason given to
-- billing.
said as (
    select
        facts.contract_term_id,
        opportunities.loss_reason,
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
    seen_90.is_sponsor_gone,
    seen_90.is_executive_silent,
    seen_90.is_primary_need_breached,
    seen_90.is_value_unproven,
    seen_90.has_competitor_signal,
    seen_90.has_payment_trouble,
    seen_90.is_usage_falling,
    seen_90.is_support_strained,
    seen_90.has_detractor,
    case
        when facts.outcome = 'lost' then coalesce(said.loss_reason, contracts.cancellation_reason)
    end
        as driver_stated,
    {{ evidenced_driver('seen_90') }} as driver_evidenced,
    resells.resell_cost_usd
from facts
inner join terms on facts.contract_term_id = terms.contract_term_id
left join contracts on facts.subscription_id = contracts.subscription_id
{%- for lead in leads %}
    left join signals as seen_{{ lead }}
        on
            terms.account_id = seen_{{ lead }}.account_id
            and terms.seen_on_d{{ lead }} = seen_{{ lead }}.month_end_on
{%- endfor %}
left join said on facts.contract_term_id = said.contract_term_id and said.newest_rank = 1
left join resells on facts.contract_term_id = resells.contract_term_id
left join first_signs on facts.contract_term_id = first_signs.contract_term_id
