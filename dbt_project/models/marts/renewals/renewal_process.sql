{# A renewal that is worked on is opened so many days before it is due. #}
{% set opened_ahead_days = 120 %}
with

terms as (
    select
        contract_term_id,
        account_id,
        owner_id,
        segment,
        started_on,
        due_on,
        outcome,
        due_arr_usd,
        is_evergreen,
        is_renewed,
        is_lost
    from {{ ref('renewals') }}
),

accounts as (
    select
        account_id,
        segment
    from {{ ref('dim_accounts') }}
    where not is_test
),

deals as (
    select
        opportunity_id,
        account_id,
        owner_id,
        created_on,
        closed_on,
        opportunity_type,
        stage,
        amount_usd,
        acquisition_cost_usd,
        cycle_days,
        is_closed,
        is_won
    from {{ ref('fct_opportunities') }}
    where opportunity_type in ('renewal', 'new_business') and account_id is not null
),

stages as (
    select
        opportunity_id,
        max({{ utc_date('entered_at') }}) as stage_entered_on,
        count(*) as stages_entered
    from {{ ref('input_opportunity_stages') }}
    group by opportunity_id
),

people as (
    select
        roles.opportunity_id,
        count(distinct persons.person_id) as people_on_deal,
        max(case when contacts.level = 'director_plus' then 1 else 0 end) as has_director
    from {{ ref('input_opportunity_contacts') }} as roles
    inner join {{ ref('int_person_map') }} as persons on roles.contact_id = persons.contact_id
    inner join {{ ref('input_contacts') }} as contacts on roles.contact_id = contacts.contact_id
    group by roles.opportunity_id
),

people_recorded as (
    select count(*) > 0 as are_people_recorded
    from people
),

touches as (
    select
        account_id,
        event_on,
        is_two_way,
        has_director_plus
    from {{ ref('fct_touchpoints') }}
    where account_id is not null
),

touches_recorded as (
    select
        min(event_on) as from_on,
        count(has_director_plus) > 0 as are_levels_recorded
    from touches
),

-- Each term and the renewal that was opened for it first, in the term it ends.
matched as (
    select
        terms.contract_term_id,
        deals.opportunity_id,
        row_number() over (
            partition by terms.contract_term_id
            order by deals.created_on, deals.opportunity_id
        ) as deal_rank
    from terms
    inner join deals
        on
            terms.account_id = deals.account_id
            and deals.opportunity_type = 'renewal'
            and terms.started_on <= deals.created_on
            and terms.due_on > deals.created_on
),

items as (
    select
        'renewal' as process,
        terms.contract_term_id as process_item_id,
        terms.contract_term_id,
        matched.opportunity_id,
        terms.account_id,
        terms.due_on,
        coalesce(terms.segment, '(unknown)') as segment,
        case
            when terms.is_renewed or terms.outcome = 'superseded' then 'won'
            when terms.is_lost then 'lost'
            else 'open'
        end as outcome,
        terms.due_arr_usd as value_usd,
        terms.owner_id as account_owner_id,
        terms.is_evergreen
    from terms
    left join matched
        on terms.contract_term_id = matched.contract_term_id and matched.deal_rank = 1
    union all
    select
        'new_business' as process,
        deals.opportunity_id as process_item_id,
        cast(null as {{ dbt.type_string() }}) as contract_term_id,
        deals.opportunity_id,
        deals.account_id,
        cast(null as date) as due_on,
        coalesce(accounts.segment, '(unknown)') as segment,
        case when deals.is_won then 'won' when deals.is_closed then 'lost' else 'open' end
            as outcome,
        deals.amount_usd as value_usd,
        cast(null as {{ dbt.type_string() }}) as account_owner_id,
        cast(null as boolean) as is_evergreen
    from deals
    inner join accounts on deals.account_id = accounts.account_id
    where deals.opportunity_type = 'new_business'
),

touched as (
    select
        deals.opportunity_id,
        count(*) as touches,
        count(case when touches.is_two_way then 1 end) as two_way_touches,
        count(case when touches.has_director_plus then 1 end) as director_touches
    from deals
    inner join touches
        on
            deals.account_id = touches.account_id
            and deals.created_on <= touches.event_on
            and coalesce(deals.closed_on, {{ as_of_date() }}) >= touches.event_on
    group by deals.opportunity_id
)

select
    items.process_item_id,
    items.contract_term_id,
    items.opportunity_id,
    items.account_id,
    coalesce(deals.owner_id, items.account_owner_id) as owner_id,
    items.due_on,
    deals.created_on as opened_on,
    stages.stage_entered_on,
    deals.closed_on,
    items.process,
    items.segment,
    items.outcome,
    deals.stage,
    items.value_usd,
    deals.acquisition_cost_usd as cost_usd,
    cast({{ dbt.datediff('deals.created_on', 'items.due_on', 'day') }} as bigint)
        as opened_days_before_due,
    cast(
        {{ dbt.datediff(
            'stages.stage_entered_on', 'coalesce(deals.closed_on, ' ~ as_of_date() ~ ')', 'day'
        ) }} as bigint
    ) as days_in_stage,
    cast(stages.stages_entered as bigint) as stages_entered,
    deals.cycle_days,
    {% for measure in ['touches', 'two_way_touches', 'director_touches'] -%}
        case
            when
                deals.created_on >= touches_recorded.from_on
                {% if measure == 'director_touches' -%}
                    and touches_recorded.are_levels_recorded
                {%- endif %}
                then cast(coalesce(touched.{{ measure }}, 0) as bigint)
        end as {{ measure }},
    {% endfor -%}
    case
        when deals.opportunity_id is not null and people_recorded.are_people_recorded
            then cast(coalesce(people.people_on_deal, 0) as bigint)
    end as people_on_deal,
    items.is_evergreen,
    deals.opportunity_id is not null as has_opportunity,
    -- Asked of a renewal from that day on.
    case
        when items.process = 'new_business' then null
        when deals.created_on <= {{ days_after('items.due_on', 0 - opened_ahead_days) }} then true
        when {{ days_after('items.due_on', 0 - opened_ahead_days) }} < {{ as_of_date() }} then false
    end as is_opened_ahead,
    case
        when items.process = 'renewal' and deals.closed_on is not null
            then deals.closed_on <= items.due_on
    end as is_closed_in_time,
    case
        when deals.opportunity_id is not null and people_recorded.are_people_recorded
            then coalesce(people.has_director, 0) = 1
    end as has_director_on_deal
from items
cross join people_recorded
cross join touches_recorded
left join deals on items.opportunity_id = deals.opportunity_id
left join stages on items.opportunity_id = stages.opportunity_id
left join people on items.opportunity_id = people.opportunity_id
left join touched on items.opportunity_id = touched.opportunity_id
