{# Campaigns at which people meet; whoever is asked to one is not being mailed. #}
{% set gatherings = "('conference', 'event', 'webinar', 'trade show')" %}
{# A conference a year, and half a year for its date to move. #}
{% set invited_days = 548 %}
with

opportunities as (
    select
        opportunity_id,
        account_id,
        lost_to_competitor_id,
        created_on,
        closed_on,
        opportunity_type,
        loss_reason,
        amount_usd,
        is_closed,
        is_won,
        is_rip_and_replace
    from {{ ref('fct_opportunities') }}
),

accounts as (
    select
        account_id,
        owner_id,
        displaced_competitor_id,
        segment,
        region,
        is_deleted
    from {{ ref('dim_accounts') }}
),

employees as (
    select employee_id
    from {{ ref('dim_employees') }}
    where is_employed
),

-- Months given away under a contract are service, a trial is not.
subscription_states as (
    select
        account_id,
        {{ utc_date('valid_from') }} as served_from_on
    from {{ ref('fct_subscription_states') }}
    where status <> 'trialing'
),

touches as (
    select
        activity_id,
        account_id,
        event_on,
        touch_type,
        employee_function,
        is_two_way
    from {{ ref('fct_touchpoints') }}
    where account_id is not null
),

campaigns as (
    select
        campaign_id,
        lower(campaign_type) = 'conference' as is_conference,
        coalesce(lower(campaign_type) in {{ gatherings }}, false)
        or coalesce(audience in ('customers', 'alumni'), false) as is_family,
        coalesce(audience = 'prospects', false)
        and not coalesce(lower(campaign_type) in {{ gatherings }}, false) as is_prospecting
    from {{ ref('input_campaigns') }}
),

members as (
    select
        campaign_id,
        contact_id,
        {{ utc_date('known_at') }} as invited_on
    from {{ ref('input_campaign_members') }}
    where known_at < {{ as_of_end() }}
),

employments as (
    select
        contact_id,
        account_id,
        started_on,
        ended_on
    from {{ ref('int_person_employments') }}
),

people as (
    select
        person_id,
        account_id,
        visible_from_on,
        visible_to_on,
        is_gone
    from {{ ref('int_person_states') }}
),

trigger_events as (
    select
        trigger_event_id,
        account_id,
        occurred_on,
        {{ utc_date('known_at') }} as known_on,
        trigger_type
    from {{ ref('fct_trigger_events') }}
),

stumble_types as (
    select trigger_type
    from {{ ref('competitor_stumbles') }}
),

losses as (
    select
        opportunity_id,
        account_id,
        lost_to_competitor_id,
        closed_on as lost_on,
        loss_reason,
        amount_usd,
        row_number() over (
            partition by coalesce(account_id, opportunity_id)
            order by closed_on desc, opportunity_id desc
        ) as newest_rank
    from opportunities
    where opportunity_type = 'new_business' and is_closed and not is_won
),

-- What became of the account: other deals since, and who is served without one.
later_deals as (
    select
        losses.opportunity_id,
        min(deals.created_on) as reopened_on,
        min(case when deals.is_won then deals.closed_on end) as deal_won_on,
        max(case when deals.is_closed then 0 else 1 end) as has_open_deal
    from losses
    inner join opportunities as deals
        on
            losses.account_id = deals.account_id
            and losses.opportunity_id <> deals.opportunity_id
            and deals.opportunity_type in ('new_business', 'win_back')
            and losses.lost_on <= deals.created_on
    group by losses.opportunity_id
),

-- A deal that was open beside the lost one and was won after it.
other_wins as (
    select
        losses.opportunity_id,
        min(deals.closed_on) as deal_won_on
    from losses
    inner join opportunities as deals
        on
            losses.account_id = deals.account_id
            and deals.opportunity_type in ('new_business', 'win_back')
            and deals.is_won
            and losses.lost_on <= deals.closed_on
    group by losses.opportunity_id
),

first_served as (
    select
        account_id,
        min(served_from_on) as first_served_on
    from subscription_states
    group by account_id
),

dated as (
    select
        losses.opportunity_id,
        losses.account_id,
        losses.lost_to_competitor_id,
        losses.lost_on,
        losses.loss_reason,
        losses.amount_usd,
        losses.newest_rank = 1 as is_newest_loss,
        later_deals.reopened_on,
        coalesce(later_deals.has_open_deal = 1, false) as has_open_deal,
        case
            when
                first_served.first_served_on >= losses.lost_on
                and (
                    other_wins.deal_won_on is null
                    or first_served.first_served_on < other_wins.deal_won_on
                )
                then first_served.first_served_on
            else other_wins.deal_won_on
        end as won_on,
        coalesce(first_served.first_served_on < losses.lost_on, false) as was_customer_before
    from losses
    left join later_deals on losses.opportunity_id = later_deals.opportunity_id
    left join other_wins on losses.opportunity_id = other_wins.opportunity_id
    left join first_served on losses.account_id = first_served.account_id
),

-- A customer is kept close for other reasons: seen from the eve of the win, else from now.
seen as (
    select
        opportunity_id,
        account_id,
        lost_to_competitor_id,
        lost_on,
        greatest(lost_on, coalesce({{ days_after('won_on', -1) }}, {{ as_of_date() }}))
            as looked_on
    from dated
),

-- A campaign reaches a company through the record of somebody there: the address that the person
-- had with it, whoever has another one elsewhere by now.
reached as (
    select distinct
        members.campaign_id,
        members.contact_id,
        members.invited_on,
        employments.account_id
    from members
    inner join employments
        on
            members.contact_id = employments.contact_id
            and members.invited_on >= employments.started_on
            and (employments.ended_on is null or members.invited_on <= employments.ended_on)
),

invitations as (
    select
        reached.account_id,
        reached.invited_on,
        max(case when campaigns.is_conference then 1 else 0 end) as is_conference,
        max(case when campaigns.is_family then 1 else 0 end) as is_family,
        sum(case when campaigns.is_prospecting then 1 else 0 end) as prospect_mailings
    from reached
    inner join campaigns on reached.campaign_id = campaigns.campaign_id
    group by reached.account_id, reached.invited_on
),

invited as (
    select
        seen.opportunity_id,
        max(case when invitations.is_conference = 1 then invitations.invited_on end)
            as last_conference_invitation_on,
        max(case when invitations.is_family = 1 then invitations.invited_on end)
            as last_family_invitation_on,
        sum(
            case
                when {{ within_days('invitations.invited_on', 'seen.looked_on', 365) }}
                    then invitations.prospect_mailings
            end
        ) as prospect_mailings_12m
    from seen
    inner join invitations
        on
            seen.account_id = invitations.account_id
            and seen.lost_on < invitations.invited_on
            and seen.looked_on >= invitations.invited_on
    group by seen.opportunity_id
),

-- An unanswered mail of sales while no deal is open is sales development; everything else is
-- company.
touches_since as (
    select
        seen.opportunity_id,
        seen.looked_on,
        touches.activity_id,
        touches.event_on,
        max(
            case
                when
                    touches.employee_function = 'sales'
                    and touches.touch_type = 'email'
                    and not coalesce(touches.is_two_way, false)
                    and deals.opportunity_id is null
                    then 1
                else 0
            end
        ) as is_sales_development
    from seen
    inner join touches
        on
            seen.account_id = touches.account_id
            and seen.lost_on < touches.event_on
            and seen.looked_on >= touches.event_on
    left join opportunities as deals
        on
            seen.account_id = deals.account_id
            and touches.event_on >= deals.created_on
            and touches.event_on <= coalesce(deals.closed_on, cast('9999-12-31' as date))
    group by seen.opportunity_id, seen.looked_on, touches.activity_id, touches.event_on
),

touched as (
    select
        opportunity_id,
        max(case when is_sales_development = 0 then event_on end) as last_personal_touch_on,
        count(
            case
                when
                    is_sales_development = 0
                    and {{ within_days('event_on', 'looked_on', 365) }}
                    then 1
            end
        ) as family_touches_12m,
        count(
            case
                when
                    is_sales_development = 1
                    and {{ within_days('event_on', 'looked_on', 365) }}
                    then 1
            end
        ) as sales_emails_12m
    from touches_since
    group by opportunity_id
),

-- What happens to a competitor is recorded at an account that it took from us.
rival_events as (
    select
        trigger_events.trigger_event_id,
        trigger_events.occurred_on,
        lost_deals.lost_to_competitor_id as competitor_id,
        row_number() over (
            partition by trigger_events.trigger_event_id
            order by lost_deals.closed_on desc, lost_deals.opportunity_id desc
        ) as newest_rank
    from trigger_events
    inner join stumble_types on trigger_events.trigger_type = stumble_types.trigger_type
    inner join opportunities as lost_deals
        on
            trigger_events.account_id = lost_deals.account_id
            and lost_deals.lost_to_competitor_id is not null
            and trigger_events.occurred_on >= lost_deals.closed_on
),

stumbled as (
    select
        seen.opportunity_id,
        min(rival_events.occurred_on) as first_stumbled_on,
        max(rival_events.occurred_on) as last_stumbled_on
    from seen
    inner join rival_events
        on
            seen.lost_to_competitor_id = rival_events.competitor_id
            and seen.lost_on < rival_events.occurred_on
            and seen.looked_on >= rival_events.occurred_on
    where rival_events.newest_rank = 1
    group by seen.opportunity_id
),

-- Customers that the competitor lost to us since: it can be left.
displaced as (
    select
        seen.opportunity_id,
        count(distinct deals.account_id) as customers_won_from_competitor_12m
    from seen
    inner join accounts on seen.lost_to_competitor_id = accounts.displaced_competitor_id
    inner join opportunities as deals
        on
            accounts.account_id = deals.account_id
            and deals.is_rip_and_replace
            and deals.is_won
            and seen.lost_on < deals.closed_on
            and seen.looked_on >= deals.closed_on
            and {{ within_days('deals.closed_on', 'seen.looked_on', 365) }}
    group by seen.opportunity_id
),

known as (
    select
        seen.opportunity_id,
        count(case when not people.is_gone then 1 end) as contacts_known
    from seen
    inner join people
        on
            seen.account_id = people.account_id
            and seen.looked_on >= people.visible_from_on
            and (people.visible_to_on is null or seen.looked_on < people.visible_to_on)
    group by seen.opportunity_id
),

-- Nothing found means no only where somebody was writing it down.
recorded as (
    select
        (select min(event_on) from touches) as touches_from_on,
        (
            select min(members.invited_on)
            from members
            inner join campaigns on members.campaign_id = campaigns.campaign_id
        ) as campaigns_from_on,
        (
            select min(members.invited_on)
            from members
            inner join campaigns on members.campaign_id = campaigns.campaign_id
            where campaigns.is_conference
        ) as conferences_from_on,
        (
            select min(trigger_events.known_on)
            from trigger_events
            inner join stumble_types on trigger_events.trigger_type = stumble_types.trigger_type
        ) as stumbles_from_on
),

told as (
    select
        dated.opportunity_id,
        stumbled.first_stumbled_on,
        stumbled.last_stumbled_on,
        invited.last_conference_invitation_on,
        greatest(
            coalesce(touched.last_personal_touch_on, invited.last_family_invitation_on),
            coalesce(invited.last_family_invitation_on, touched.last_personal_touch_on)
        ) as last_family_touch_on,
        case
            when dated.won_on is not null then 'won'
            when dated.was_customer_before then 'customer_before'
            when dated.has_open_deal then 'reopened'
            else 'prospect'
        end as status,
        case
            when seen.looked_on >= recorded.touches_from_on
                then coalesce(touched.family_touches_12m, 0)
        end as family_touches_12m,
        case
            when seen.looked_on >= recorded.touches_from_on
                then coalesce(touched.sales_emails_12m, 0)
        end as sales_emails_12m,
        case
            when seen.looked_on >= recorded.campaigns_from_on
                then coalesce(invited.prospect_mailings_12m, 0)
        end as prospect_mailings_12m,
        case
            when dated.lost_to_competitor_id is not null
                then coalesce(displaced.customers_won_from_competitor_12m, 0)
        end as customers_won_from_competitor_12m,
        known.contacts_known,
        case
            when dated.lost_to_competitor_id is null then null
            when stumbled.last_stumbled_on is not null then true
            when seen.looked_on >= recorded.stumbles_from_on then false
        end as has_competitor_stumbled,
        case
            when seen.looked_on >= recorded.conferences_from_on
                then coalesce(
                        {{ within_days(
                            'invited.last_conference_invitation_on', 'seen.looked_on', invited_days
                        ) }},
                        false
                    )
        end as is_invited_to_conference,
        coalesce({{ within_days('stumbled.last_stumbled_on', as_of_date(), 365) }}, false)
            as has_stumbled_lately
    from dated
    inner join seen on dated.opportunity_id = seen.opportunity_id
    cross join recorded
    left join invited on dated.opportunity_id = invited.opportunity_id
    left join touched on dated.opportunity_id = touched.opportunity_id
    left join stumbled on dated.opportunity_id = stumbled.opportunity_id
    left join displaced on dated.opportunity_id = displaced.opportunity_id
    left join known on dated.opportunity_id = known.opportunity_id
),

judged as (
    select
        told.opportunity_id,
        told.sales_emails_12m + told.prospect_mailings_12m as sdr_emails_12m,
        -- One mail is enough to break it, whether or not the other kind is recorded.
        case
            when
                not told.is_invited_to_conference
                or told.sales_emails_12m > 0
                or told.prospect_mailings_12m > 0
                then false
            when
                told.is_invited_to_conference
                and told.sales_emails_12m + told.prospect_mailings_12m = 0
                then true
        end as is_family_compliant,
        case
            when
                told.status <> 'prospect'
                or not dated.is_newest_loss
                or coalesce(accounts.is_deleted, true)
                then null
            when told.has_stumbled_lately then 'talk'
            when told.sales_emails_12m > 0 or told.prospect_mailings_12m > 0 then 'stop_mailing'
            when coalesce(told.is_invited_to_conference, false) then 'keep_close'
            else 'invite'
        end as next_step
    from told
    inner join dated on told.opportunity_id = dated.opportunity_id
    left join accounts on dated.account_id = accounts.account_id
),

-- Whose competitor has just stumbled first, then whoever has a competitor, then the larger deal.
priorities as (
    select
        dated.opportunity_id,
        row_number() over (
            order by
                case when judged.next_step = 'talk' then 0 else 1 end,
                case when dated.lost_to_competitor_id is null then 1 else 0 end,
                coalesce(dated.amount_usd, -1) desc,
                dated.opportunity_id
        ) as priority
    from dated
    inner join judged on dated.opportunity_id = judged.opportunity_id
    where judged.next_step is not null
)

select
    dated.opportunity_id,
    dated.account_id,
    dated.lost_to_competitor_id,
    employees.employee_id as coverage_owner_id,
    dated.lost_on,
    told.last_stumbled_on as competitor_stumbled_on,
    told.last_conference_invitation_on,
    told.last_family_touch_on,
    dated.reopened_on,
    dated.won_on,
    accounts.segment,
    accounts.region,
    dated.loss_reason,
    told.status,
    judged.next_step,
    cast(priorities.priority as bigint) as priority,
    dated.amount_usd,
    {{ stable(dbt.datediff('dated.lost_on', as_of_date(), 'day') ~ ' / 365.25') }}
        as years_since_loss,
    {{ stable(dbt.datediff('dated.lost_on', 'dated.won_on', 'day') ~ ' / 365.25') }}
        as years_to_win,
    cast(told.customers_won_from_competitor_12m as bigint) as customers_won_from_competitor_12m,
    cast(told.contacts_known as bigint) as contacts_known,
    cast(told.family_touches_12m as bigint) as family_touches_12m,
    cast(told.sales_emails_12m as bigint) as sales_emails_12m,
    cast(told.prospect_mailings_12m as bigint) as prospect_mailings_12m,
    cast(judged.sdr_emails_12m as bigint) as sdr_emails_12m,
    told.has_competitor_stumbled,
    case
        when told.has_competitor_stumbled
            then coalesce(dated.reopened_on >= told.first_stumbled_on, false)
    end as has_reopened_after_stumble,
    told.is_invited_to_conference,
    judged.is_family_compliant,
    dated.is_newest_loss,
    dated.won_on is not null as is_won_later
from dated
inner join told on dated.opportunity_id = told.opportunity_id
inner join judged on dated.opportunity_id = judged.opportunity_id
left join priorities on dated.opportunity_id = priorities.opportunity_id
left join accounts on dated.account_id = accounts.account_id
left join employees on accounts.owner_id = employees.employee_id
