{# Who has not been in touch for so many days is out of sight. #}
{% set dark_days = 180 %}
{# A mover is kept in the fold by a touch within so many days. #}
{% set fold_days = 60 %}
{# Campaigns at which people meet. #}
{% set gatherings = "('conference', 'event', 'webinar', 'trade show')" %}
with

spells as (
    select
        person_id,
        account_id,
        started_on,
        ended_on,
        end_visible_on,
        start_visible_on,
        level,
        {{ level_rank('level') }} as level_rank,
        is_champion,
        is_sponsor
    from {{ ref('int_person_spells') }}
),

customers as (
    select
        account_id,
        min(life_started_on) as life_started_on
    from {{ ref('int_account_observations') }}
    group by account_id
),

contracts as (
    select
        account_id,
        arr_usd
    from {{ ref('int_contract_account_months') }}
    where observed_on = {{ as_of_date() }}
),

people as (
    select
        person_id,
        consent_basis,
        departure_terms,
        is_email_opted_out
    from {{ ref('dim_people') }}
),

employees as (
    select
        employee_id,
        destination_account_id,
        left_on
    from {{ ref('dim_employees') }}
    where is_alumni_eligible
),

rivals_used as (
    select
        account_id,
        competitor_id,
        row_number() over (
            partition by account_id
            order by coalesce(used_from_on, known_on) desc, competitor_id asc
        ) as newest_rank
    from {{ ref('int_account_competitors') }}
    where used_to_on is null
),

touches as (
    select
        people.person_id,
        touches.event_on
    from {{ ref('int_touches') }} as touches
    inner join {{ ref('int_touch_people') }} as people
        on touches.activity_id = people.activity_id
),

invitations as (
    select
        persons.person_id,
        campaigns.campaign_id,
        {{ utc_date('members.known_at') }} as invited_on,
        members.has_responded,
        coalesce(lower(campaigns.campaign_type) in {{ gatherings }}, false) as is_gathering,
        coalesce(campaigns.audience = 'alumni', false) as is_for_alumni
    from {{ ref('input_campaign_members') }} as members
    inner join {{ ref('input_campaigns') }} as campaigns
        on members.campaign_id = campaigns.campaign_id
    inner join {{ ref('int_person_map') }} as persons on members.contact_id = persons.contact_id
    where members.known_at < {{ as_of_end() }}
),

drags as (
    select
        drag_person_id as person_id,
        account_id,
        billing_subscription_id,
        amount_usd,
        is_won
    from {{ ref('fct_opportunities') }}
    where is_preference_drag
),

terms as (
    select
        subscription_id,
        due_arr_usd,
        row_number() over (
            partition by subscription_id
            order by started_on, contract_term_id
        ) as term_rank
    from {{ ref('fct_contract_terms') }}
),

advocacy as (
    select
        person_id,
        occurred_on,
        act_type
    from {{ ref('fct_advocacy') }}
),

-- Customers left: at work there while it was one.
departures as (
    select
        spells.person_id,
        spells.account_id,
        spells.started_on,
        spells.ended_on,
        spells.end_visible_on,
        spells.level,
        spells.level_rank,
        spells.is_champion,
        spells.is_sponsor,
        row_number() over (
            partition by spells.person_id
            order by spells.ended_on desc, spells.started_on desc, spells.account_id asc
        ) as newest_rank
    from spells
    inner join customers
        on
            spells.account_id = customers.account_id
            and spells.ended_on > customers.life_started_on
),

careers as (
    select
        person_id,
        count(*) as customers_left,
        max(case when is_champion then 1 when not is_champion then 0 end) as was_champion,
        max(case when is_sponsor then 1 when not is_sponsor then 0 end) as was_sponsor
    from departures
    group by person_id
),

-- Where they are now, or else were last since.
arrivals as (
    select
        spells.person_id,
        spells.account_id,
        spells.started_on,
        spells.level,
        spells.level_rank,
        row_number() over (
            partition by spells.person_id
            order by
                case when spells.ended_on is null then 0 else 1 end,
                spells.started_on desc,
                spells.account_id asc
        ) as newest_rank
    from spells
    inner join departures
        on
            spells.person_id = departures.person_id
            and departures.newest_rank = 1
            and (
                spells.started_on >= departures.ended_on
                or (spells.ended_on is null and spells.account_id <> departures.account_id)
            )
),

former_users as (
    select
        departures.person_id,
        'ex_customer' as person_type,
        departures.account_id as left_account_id,
        arrivals.account_id as destination_account_id,
        departures.ended_on as left_on,
        departures.end_visible_on as left_known_on,
        arrivals.started_on as joined_on,
        departures.level as left_level,
        arrivals.level as destination_level,
        people.departure_terms,
        people.consent_basis,
        careers.customers_left,
        arrivals.level_rank - departures.level_rank as level_delta,
        people.is_email_opted_out,
        careers.was_champion = 1 as was_champion,
        careers.was_sponsor = 1 as was_sponsor
    from departures
    inner join careers on departures.person_id = careers.person_id
    left join arrivals on departures.person_id = arrivals.person_id and arrivals.newest_rank = 1
    left join people on departures.person_id = people.person_id
    where
        departures.newest_rank = 1
        -- Who came back has not left.
        and coalesce(arrivals.account_id <> departures.account_id, true)
),

former_employees as (
    select
        employees.employee_id as person_id,
        'ex_employee' as person_type,
        cast(null as {{ dbt.type_string() }}) as left_account_id,
        employees.destination_account_id,
        employees.left_on,
        cast(null as date) as left_known_on,
        cast(null as date) as joined_on,
        cast(null as {{ dbt.type_string() }}) as left_level,
        cast(null as {{ dbt.type_string() }}) as destination_level,
        people.departure_terms,
        people.consent_basis,
        cast(null as bigint) as customers_left,
        cast(null as bigint) as level_delta,
        cast(null as boolean) as is_email_opted_out,
        cast(null as boolean) as was_champion,
        cast(null as boolean) as was_sponsor
    from employees
    left join people on employees.employee_id = people.person_id
),

gone as (
    {%- for who in ['former_users', 'former_employees'] %}
        select
            person_id,
            person_type,
            left_account_id,
            destination_account_id,
            left_on,
            left_known_on,
            joined_on,
            left_level,
            destination_level,
            departure_terms,
            consent_basis,
            customers_left,
            level_delta,
            is_email_opted_out,
            was_champion,
            was_sponsor
        from {{ who }}
        {{ 'union all' if not loop.last }}
    {%- endfor %}
),

touched as (
    select
        gone.person_id,
        max(touches.event_on) as last_touch_on,
        min(case when touches.event_on > gone.left_on then touches.event_on end)
            as first_touch_after_move_on,
        count(case when touches.event_on > gone.left_on then 1 end) as touches_since_move
    from gone
    inner join touches on gone.person_id = touches.person_id
    group by gone.person_id
),

invited as (
    select
        gone.person_id,
        count(distinct case when invitations.is_gathering then invitations.campaign_id end)
            as invited_12m,
        count(
            distinct case
                when invitations.is_gathering and invitations.has_responded
                    then invitations.campaign_id
            end
        ) as attended_12m,
        max(case when invitations.is_for_alumni then 1 else 0 end) as is_in_program
    from gone
    inner join invitations
        on
            gone.person_id = invitations.person_id
            and gone.left_on < invitations.invited_on
    where {{ within_days('invitations.invited_on', as_of_date(), 365) }}
    group by gone.person_id
),

brought as (
    select
        drags.person_id,
        count(*) as deals_brought,
        count(case when drags.is_won then 1 end) as deals_won,
        sum(case when drags.is_won then coalesce(terms.due_arr_usd, drags.amount_usd) end)
            as arr_won_usd,
        sum(case when drags.is_won then contracts.arr_usd end) as arr_now_usd
    from drags
    left join terms
        on drags.billing_subscription_id = terms.subscription_id and terms.term_rank = 1
    left join contracts on drags.account_id = contracts.account_id
    group by drags.person_id
),

vouched as (
    select
        gone.person_id,
        count(*) as advocacy_acts_since_move
    from gone
    inner join advocacy
        on
            gone.person_id = advocacy.person_id
            and gone.left_on < advocacy.occurred_on
    group by gone.person_id
),

-- Nothing found is a fact only where it is recorded at all, and of whom it could be.
touches_recorded as (
    select min(event_on) as from_on
    from touches
),

invitations_recorded as (
    select min(invited_on) as from_on
    from invitations
),

acts_recorded as (
    select min(occurred_on) as from_on
    from advocacy
),

roles_recorded as (
    select count(*) > 0 as are_roles_recorded
    from {{ ref('input_opportunity_contacts') }}
),

judged as (
    select
        gone.person_id,
        rivals_used.competitor_id as destination_competitor_id,
        case
            when gone.person_type = 'ex_employee' then null
            when gone.departure_terms = 'bad' then 'left_badly'
            when gone.is_email_opted_out then 'opted_out'
            when gone.consent_basis = 'none' then 'no_consent'
            when gone.consent_basis is null then null
            when rivals_used.competitor_id is not null then 'without_product_news'
            else 'mailable'
        end as mailing_status,
        gone.person_type = 'ex_customer' and touches_recorded.from_on is not null
            as are_touches_known,
        gone.person_type = 'ex_customer' and invitations_recorded.from_on is not null
            as are_invitations_known,
        gone.person_type = 'ex_customer' and acts_recorded.from_on is not null as are_acts_known,
        gone.person_type = 'ex_customer' and roles_recorded.are_roles_recorded as are_deals_known
    from gone
    cross join touches_recorded
    cross join invitations_recorded
    cross join acts_recorded
    cross join roles_recorded
    left join rivals_used
        on
            gone.destination_account_id = rivals_used.account_id
            and rivals_used.newest_rank = 1
)

select
    gone.person_id,
    gone.left_account_id,
    gone.destination_account_id,
    judged.destination_competitor_id,
    gone.left_on,
    gone.left_known_on,
    gone.joined_on,
    touched.last_touch_on,
    touched.first_touch_after_move_on,
    gone.person_type,
    gone.left_level,
    gone.destination_level,
    gone.departure_terms,
    gone.consent_basis,
    judged.mailing_status,
    gone.customers_left,
    cast(gone.level_delta as bigint) as level_delta,
    case
        when judged.are_touches_known then cast(coalesce(touched.touches_since_move, 0) as bigint)
    end as touches_since_move,
    cast(
        {{ dbt.datediff('gone.left_on', 'touched.first_touch_after_move_on', 'day') }} as bigint
    ) as days_to_first_touch_after_move,
    case
        when judged.are_invitations_known then cast(coalesce(invited.invited_12m, 0) as bigint)
    end as invited_12m,
    case
        when judged.are_invitations_known then cast(coalesce(invited.attended_12m, 0) as bigint)
    end as attended_12m,
    case
        when judged.are_acts_known
            then cast(coalesce(vouched.advocacy_acts_since_move, 0) as bigint)
    end as advocacy_acts_since_move,
    case
        when judged.are_deals_known then cast(coalesce(brought.deals_brought, 0) as bigint)
    end as deals_brought,
    case when judged.are_deals_known then cast(coalesce(brought.deals_won, 0) as bigint) end
        as deals_won,
    cast(brought.arr_won_usd as decimal(18, 2)) as arr_won_usd,
    cast(brought.arr_now_usd as decimal(18, 2)) as arr_now_usd,
    gone.was_champion,
    gone.was_sponsor,
    gone.level_delta >= 0 as is_same_or_senior,
    case when gone.destination_account_id is not null then contracts.account_id is not null end
        as is_destination_customer,
    judged.mailing_status in ('mailable', 'without_product_news') as is_mailable,
    judged.mailing_status = 'without_product_news' as is_sensitive_excluded,
    case when judged.are_invitations_known then coalesce(invited.is_in_program, 0) = 1 end
        as is_in_program,
    case
        when judged.are_touches_known
            then
                not coalesce(
                    {{ within_days('touched.last_touch_on', as_of_date(), dark_days) }}, false
                )
    end as is_dark,
    -- Asked of moves old enough to have been answered.
    case
        when
            judged.are_touches_known
            and touched.first_touch_after_move_on <= {{ days_after('gone.left_on', fold_days) }}
            then true
        when
            judged.are_touches_known
            and {{ days_after('gone.left_on', fold_days) }} < {{ as_of_date() }}
            then false
    end as is_retained_in_fold
from gone
inner join judged on gone.person_id = judged.person_id
left join contracts on gone.destination_account_id = contracts.account_id
left join touched on gone.person_id = touched.person_id
left join invited on gone.person_id = invited.person_id
left join brought on gone.person_id = brought.person_id
left join vouched on gone.person_id = vouched.person_id
