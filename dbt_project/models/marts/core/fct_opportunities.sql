{# A company that sells in dollars only need not keep a rate for them. #}
{% set usd_is_one = "case when opportunities.currency = 'USD' then 1 end" %}

with

opportunities as (
    select
        opportunities.opportunity_id,
        accounts.account_id,
        opportunities.owner_id,
        opportunities.campaign_id,
        opportunities.billing_subscription_id,
        opportunities.lost_to_competitor_id,
        cast(opportunities.created_at as date) as created_on,
        opportunities.closed_on,
        opportunities.expected_close_on,
        opportunities.contract_start_on,
        opportunities.known_at,
        opportunities.opportunity_type,
        opportunities.stage,
        opportunities.lead_source,
        opportunities.loss_reason,
        opportunities.currency,
        opportunities.amount,
        opportunities.acquisition_cost_usd,
        opportunities.contract_term_months,
        opportunities.is_closed,
        opportunities.is_won,
        opportunities.is_rip_and_replace
    from {{ ref('input_opportunities') }} as opportunities
    left join {{ ref('int_account_map') }} as accounts
        on opportunities.account_id = accounts.source_account_id
    where not coalesce(accounts.is_test, false)
),

reference_rates as (
    select
        currency,
        cast(usd_per_unit as decimal(18, 8)) as usd_per_unit
    from {{ ref('input_fx_rates') }}
    where is_reference
),

customers as (
    select
        account_id,
        min(life_started_on) as life_started_on
    from {{ ref('int_account_observations') }}
    group by account_id
),

-- A former user brings the product along: somebody on the deal worked at another customer before
-- and joined this company at most 18 months before the deal opened. The CRM meets people after they
-- come, often through the deal: whoever is entered before it closes was there.
roles_recorded as (
    select count(*) > 0 as is_recorded
    from {{ ref('input_opportunity_contacts') }}
),

drags as (
    select
        opportunities.opportunity_id,
        min(persons.person_id) as drag_person_id
    from opportunities
    inner join {{ ref('input_opportunity_contacts') }} as roles
        on opportunities.opportunity_id = roles.opportunity_id
    inner join {{ ref('int_person_map') }} as persons on roles.contact_id = persons.contact_id
    inner join {{ ref('int_person_spells') }} as here
        on
            persons.person_id = here.person_id
            and opportunities.account_id = here.account_id
            and coalesce(opportunities.closed_on, cast('9999-12-31' as date)) >= here.started_on
            and opportunities.created_on <= {{ months_after('here.started_on', 18) }}
    inner join {{ ref('int_person_spells') }} as before
        on
            persons.person_id = before.person_id
            and opportunities.account_id <> before.account_id
            and here.started_on > before.started_on
    inner join customers
        on
            before.account_id = customers.account_id
            and coalesce(before.ended_on, opportunities.created_on) >= customers.life_started_on
    where opportunities.opportunity_type = 'new_business'
    group by opportunities.opportunity_id
)

select
    opportunities.opportunity_id,
    opportunities.account_id,
    opportunities.owner_id,
    opportunities.campaign_id,
    opportunities.billing_subscription_id,
    opportunities.lost_to_competitor_id,
    drags.drag_person_id,
    opportunities.created_on,
    opportunities.closed_on,
    opportunities.expected_close_on,
    opportunities.contract_start_on,
    opportunities.known_at,
    opportunities.opportunity_type,
    opportunities.stage,
    opportunities.lead_source,
    opportunities.loss_reason,
    opportunities.currency,
    opportunities.amount,
    {{ in_usd(
        'opportunities.amount', 'coalesce(reference_rates.usd_per_unit, ' ~ usd_is_one ~ ')'
    ) }} as amount_usd,
    opportunities.acquisition_cost_usd,
    opportunities.contract_term_months,
    cast(
        {{ dbt.datediff('opportunities.created_on', 'opportunities.closed_on', 'day') }}
        as bigint
    )
        as cycle_days,
    opportunities.is_closed,
    opportunities.is_won,
    opportunities.is_rip_and_replace,
    -- Nobody brought it along only where it is written down who took part in deals.
    case when roles_recorded.is_recorded then drags.drag_person_id is not null end
        as is_preference_drag
from opportunities
cross join roles_recorded
left join reference_rates on opportunities.currency = reference_rates.currency
left join drags on opportunities.opportunity_id = drags.opportunity_id
