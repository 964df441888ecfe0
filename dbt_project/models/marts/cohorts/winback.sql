{# Days for which a touch keeps a lost account covered. #}
{% set covered_days = 365 %}
with

movements as (
    select
        account_id,
        surviving_account_id,
        month,
        movement_type,
        amount_usd,
        is_involuntary
    from {{ ref('fct_mrr_movements') }}
    where movement_type in ('new', 'reactivation', 'churn')
),

accounts as (
    select
        account_id,
        owner_id,
        segment,
        region,
        acquisition_origin,
        merged_at
    from {{ ref('dim_accounts') }}
),

account_map as (
    select
        source_account_id,
        account_id
    from {{ ref('int_account_map') }}
),

account_months as (
    select
        account_id,
        month_end_on,
        tenure_months,
        closing_mrr_usd,
        is_active,
        is_paying
    from {{ ref('fct_account_months') }}
),

subscription_states as (
    select
        account_id,
        {{ utc_date('valid_from') }} as paid_from_on,
        {{ utc_date('valid_to') }} as paid_to_on
    from {{ ref('fct_subscription_states') }}
    where is_paying
),

terms as (
    select
        account_id,
        {{ month_end('ended_on') }} as ended_month
    from {{ ref('fct_contract_terms') }}
    where outcome = 'renewed_late'
),

drivers as (
    select
        account_id,
        {{ month_end('ended_on') }} as ended_month,
        contract_term_id,
        driver_stated,
        driver_evidenced,
        lost_arr_usd
    from {{ ref('departure_drivers') }}
),

opportunities as (
    select
        opportunity_id,
        account_id,
        owner_id,
        closed_on
    from {{ ref('fct_opportunities') }}
    where is_won and opportunity_type in ('win_back', 'new_business')
),

costs as (
    select
        opportunity_id,
        cost_usd
    from {{ ref('int_account_acquisition_costs') }}
),

owners as (
    select
        account_map.account_id,
        owners.employee_id,
        owners.owned_from,
        owners.owned_to
    from {{ ref('input_account_owners') }} as owners
    inner join account_map on owners.account_id = account_map.source_account_id
),

employees as (
    select
        employee_id,
        function,
        left_on
    from {{ ref('dim_employees') }}
),

touches as (
    select
        account_id,
        event_on
    from {{ ref('fct_touchpoints') }}
    where account_id is not null
),

people as (
    select
        person_id,
        account_id,
        visible_from_on,
        visible_to_on,
        is_gone,
        is_champion,
        has_been_champion
    from {{ ref('int_person_states') }}
),

months as (
    select max(month_end_on) as last_month
    from {{ ref('int_month_ends') }}
),

-- Whatever comes after a departure and is no departure is the return; a company that reads long
-- absences as a new customer still sees who came back.
followed as (
    select
        account_id,
        surviving_account_id,
        month as lost_month,
        movement_type,
        amount_usd as lost_mrr_usd,
        is_involuntary,
        lead(month) over (partition by account_id order by month) as won_back_month,
        lead(amount_usd) over (partition by account_id order by month) as won_back_mrr_usd
    from movements
),

losses as (
    select
        account_id,
        surviving_account_id,
        lost_month,
        won_back_month,
        lost_mrr_usd,
        won_back_mrr_usd,
        is_involuntary,
        row_number() over (partition by account_id order by lost_month) as loss_number
    from followed
    where movement_type = 'churn'
),

-- The days behind the month-ends: the last on which service was paid, the first on which it was
-- again.
ends as (
    select
        losses.account_id,
        losses.lost_month,
        max(subscription_states.paid_to_on) as lost_on
    from losses
    inner join subscription_states
        on
            losses.account_id = subscription_states.account_id
            and losses.lost_month = {{ month_end('subscription_states.paid_to_on') }}
    group by losses.account_id, losses.lost_month
),

returns as (
    select
        losses.account_id,
        losses.lost_month,
        min(subscription_states.paid_from_on) as won_back_on
    from losses
    inner join subscription_states
        on
            losses.account_id = subscription_states.account_id
            and losses.won_back_month = {{ month_end('subscription_states.paid_from_on') }}
    group by losses.account_id, losses.lost_month
),

-- Seen from the eve of the return, else from the merger that ended the account's own story, else
-- from now.
dated as (
    select
        losses.account_id,
        losses.surviving_account_id,
        losses.lost_month,
        losses.won_back_month,
        losses.lost_mrr_usd,
        losses.won_back_mrr_usd,
        losses.is_involuntary,
        losses.loss_number,
        coalesce(ends.lost_on, losses.lost_month) as lost_on,
        case
            when losses.won_back_month is not null
                then coalesce(returns.won_back_on, losses.won_back_month)
        end as won_back_on,
        case
            when
                losses.won_back_month is null
                and losses.account_id <> losses.surviving_account_id
                then cast(accounts.merged_at as date)
        end as merged_on
    from losses
    left join ends
        on losses.account_id = ends.account_id and losses.lost_month = ends.lost_month
    left join returns
        on losses.account_id = returns.account_id and losses.lost_month = returns.lost_month
    left join accounts on losses.account_id = accounts.account_id
),

seen as (
    select
        account_id,
        surviving_account_id,
        lost_month,
        lost_on,
        greatest(
            lost_on,
            coalesce({{ days_after('won_back_on', -1) }}, merged_on, {{ as_of_date() }})
        ) as looked_on
    from dated
),

-- Touches of people who still write though nothing is paid.
touched as (
    select
        seen.account_id,
        seen.lost_month,
        max(touches.event_on) as last_touch_on,
        count(*) as touches_since_loss,
        count(
            case
                when {{ within_days('touches.event_on', 'seen.looked_on', covered_days) }} then 1
            end
        )
            as touches_12m
    from seen
    inner join touches
        on
            seen.surviving_account_id = touches.account_id
            and seen.lost_on < touches.event_on
            and seen.looked_on >= touches.event_on
    group by seen.account_id, seen.lost_month
),

recorded as (
    select min(event_on) as recorded_from_on
    from touches
),

owners_then as (
    select
        seen.account_id,
        seen.lost_month,
        owners.employee_id,
        row_number() over (
            partition by seen.account_id, seen.lost_month
            order by owners.owned_from desc, owners.employee_id asc
        ) as newest_rank
    from seen
    inner join owners
        on
            seen.surviving_account_id = owners.account_id
            and seen.looked_on >= owners.owned_from
            and (owners.owned_to is null or seen.looked_on < owners.owned_to)
),

-- An owner who has left us looks after nobody.
covered as (
    select
        dated.account_id,
        dated.lost_month,
        employees.employee_id as coverage_owner_id,
        employees.function as coverage_function
    from dated
    inner join seen
        on dated.account_id = seen.account_id and dated.lost_month = seen.lost_month
    left join owners_then
        on
            dated.account_id = owners_then.account_id
            and dated.lost_month = owners_then.lost_month
            and owners_then.newest_rank = 1
    left join accounts
        on
            case when dated.won_back_month is null then dated.surviving_account_id end
            = accounts.account_id
    inner join employees
        on coalesce(owners_then.employee_id, accounts.owner_id) = employees.employee_id
    where employees.left_on is null or employees.left_on >= seen.looked_on
),

known as (
    select
        seen.account_id,
        seen.lost_month,
        count(case when not people.is_gone then 1 end) as contacts_known,
        max(case when people.has_been_champion then 1 else 0 end) as has_named_champion,
        max(case when people.is_champion then 1 else 0 end) as has_champion
    from seen
    inner join people
        on
            seen.surviving_account_id = people.account_id
            and seen.looked_on >= people.visible_from_on
            and (people.visible_to_on is null or seen.looked_on < people.visible_to_on)
    group by seen.account_id, seen.lost_month
),

-- A deal belongs to the newest departure before it.
deals as (
    select
        dated.account_id,
        dated.lost_month,
        opportunities.opportunity_id,
        opportunities.owner_id,
        opportunities.closed_on,
        costs.cost_usd,
        row_number() over (
            partition by opportunities.opportunity_id
            order by dated.lost_on desc, dated.account_id asc
        ) as nearest_rank
    from dated
    inner join opportunities
        on
            dated.surviving_account_id = opportunities.account_id
            and dated.lost_on <= opportunities.closed_on
            -- What was sold after the return did not bring it about.
            and opportunities.closed_on
            <= coalesce(dated.won_back_month, cast('9999-12-31' as date))
    left join costs on opportunities.opportunity_id = costs.opportunity_id
),

ranked_deals as (
    select
        account_id,
        lost_month,
        opportunity_id,
        owner_id,
        row_number() over (
            partition by account_id, lost_month order by closed_on, opportunity_id
        ) as deal_number,
        sum(cost_usd) over (partition by account_id, lost_month) as resell_cost_usd
    from deals
    where nearest_rank = 1
),

signed_late as (
    select distinct
        account_id,
        ended_month
    from terms
),

-- Why a contract ended belongs to the newest departure by then: the money stops with it, or earlier
-- when a pause was never ended.
told_drivers as (
    select
        dated.account_id,
        dated.lost_month,
        drivers.contract_term_id,
        drivers.ended_month,
        drivers.driver_stated,
        drivers.driver_evidenced,
        drivers.lost_arr_usd,
        row_number() over (
            partition by drivers.contract_term_id
            order by dated.lost_month desc, dated.account_id asc
        ) as nearest_rank
    from dated
    inner join drivers
        on
            dated.surviving_account_id = drivers.account_id
            and dated.lost_month <= drivers.ended_month
            and (dated.won_back_month is null or dated.won_back_month > drivers.ended_month)
),

-- Of several contracts that ended then, the largest tells why.
ranked_drivers as (
    select
        account_id,
        lost_month,
        driver_stated,
        driver_evidenced,
        row_number() over (
            partition by account_id, lost_month
            order by ended_month asc, lost_arr_usd desc, contract_term_id asc
        ) as size_rank
    from told_drivers
    where nearest_rank = 1
),

now as (
    select
        account_months.account_id,
        account_months.is_active and not account_months.is_paying as is_active_unpaid
    from account_months
    cross join months
    where account_months.month_end_on = months.last_month
)

select
    dated.account_id,
    dated.surviving_account_id,
    covered.coverage_owner_id,
    ranked_deals.opportunity_id as won_back_opportunity_id,
    ranked_deals.owner_id as won_back_by_id,
    dated.lost_on,
    dated.lost_month,
    dated.won_back_on,
    dated.won_back_month,
    touched.last_touch_on,
    accounts.segment,
    accounts.region,
    accounts.acquisition_origin,
    case
        when dated.won_back_month is not null then 'won_back'
        when dated.merged_on is not null then 'merged'
        when now.is_active_unpaid then 'in_force_unpaid'
        -- The renewal may still be signed late.
        when dated.lost_on > {{ days_after(as_of_date(), 0 - var('renewal_grace_days')) }}
            then 'in_grace'
        else 'open'
    end as status,
    case
        when dated.won_back_month is null then null
        when ranked_deals.opportunity_id is not null then 'deal'
        when signed_late.account_id is not null then 'signed_late'
        else 'resumed'
    end as return_kind,
    ranked_drivers.driver_stated,
    ranked_drivers.driver_evidenced,
    covered.coverage_function,
    case
        when {{ months_after('dated.lost_on', 60) }} >= {{ as_of_date() }} then '<=5'
        else '>5'
    end as loss_age_band,
    cast(dated.loss_number as bigint) as loss_number,
    then_months.tenure_months as tenure_months_at_loss,
    cast(12 * dated.lost_mrr_usd as decimal(18, 2)) as arr_before_usd,
    cast(12 * dated.won_back_mrr_usd as decimal(18, 2)) as arr_after_usd,
    cast(12 * later_months.closing_mrr_usd as decimal(18, 2)) as arr_12m_after_usd,
    {{ share_of('dated.won_back_mrr_usd', 'dated.lost_mrr_usd') }} as arr_after_ratio,
    cast(ranked_deals.resell_cost_usd as decimal(18, 2)) as resell_cost_usd,
    {{ stable(dbt.datediff('dated.lost_on', as_of_date(), 'day') ~ ' / 365.25') }}
        as years_since_loss,
    {{ stable(dbt.datediff('dated.lost_on', 'dated.won_back_on', 'day') ~ ' / 365.25') }}
        as years_to_return,
    -- How long the account was followed, by month-ends: to its return, its merger or the last one.
    cast(
        {{ months_between(
            'dated.lost_month', 'coalesce(dated.won_back_month, dated.merged_on, months.last_month)'
        ) }} as bigint
    ) as months_away,
    cast(
        case
            when seen.looked_on >= recorded.recorded_from_on
                then coalesce(touched.touches_since_loss, 0)
        end as bigint
    ) as touches_since_loss,
    cast(
        case
            when seen.looked_on >= recorded.recorded_from_on then coalesce(touched.touches_12m, 0)
        end as bigint
    ) as touches_12m,
    cast(known.contacts_known as bigint) as contacts_known,
    case when known.has_named_champion = 1 then known.has_champion = 1 end as has_champion,
    case
        when covered.coverage_owner_id is null then false
        when seen.looked_on >= recorded.recorded_from_on
            then coalesce(touched.touches_12m, 0) > 0
    end as is_covered,
    dated.won_back_month is not null as is_won_back,
    dated.is_involuntary
from dated
inner join seen
    on dated.account_id = seen.account_id and dated.lost_month = seen.lost_month
cross join months
cross join recorded
left join accounts on dated.surviving_account_id = accounts.account_id
left join covered
    on dated.account_id = covered.account_id and dated.lost_month = covered.lost_month
left join touched
    on dated.account_id = touched.account_id and dated.lost_month = touched.lost_month
left join known
    on dated.account_id = known.account_id and dated.lost_month = known.lost_month
left join ranked_deals
    on
        case when dated.won_back_month is not null then dated.account_id end
        = ranked_deals.account_id
        and dated.lost_month = ranked_deals.lost_month
        and ranked_deals.deal_number = 1
left join signed_late
    on
        dated.surviving_account_id = signed_late.account_id
        and dated.lost_month = signed_late.ended_month
left join ranked_drivers
    on
        dated.account_id = ranked_drivers.account_id
        and dated.lost_month = ranked_drivers.lost_month
        and ranked_drivers.size_rank = 1
left join now on dated.account_id = now.account_id
left join account_months as then_months
    on
        dated.surviving_account_id = then_months.account_id
        and dated.lost_month = then_months.month_end_on
left join account_months as later_months
    on
        dated.account_id = later_months.account_id
        and {{ month_end(months_after('dated.won_back_month', 12)) }} = later_months.month_end_on
