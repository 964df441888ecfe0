{# Days for which an event makes a company worth a call. #}
{% set timely_days = 90 %}
with

customers as (
    select distinct account_id
    from {{ ref('int_account_observations') }}
),

-- The pool: companies in the CRM that never were customers. Who was one is in winback.
leads as (
    select
        accounts.account_id,
        accounts.owner_id,
        accounts.segment,
        accounts.region,
        {{ utc_date('accounts.created_at') }} as created_on
    from {{ ref('dim_accounts') }} as accounts
    left join customers on accounts.account_id = customers.account_id
    where
        not accounts.is_test
        and not accounts.is_merged
        and not accounts.is_deleted
        and customers.account_id is null
),

deals as (
    select
        account_id,
        max(case when not is_closed then 1 else 0 end) as has_open_deal,
        max(case when is_won then 1 else 0 end) as has_won_deal,
        max(case when is_closed and not is_won then closed_on end) as last_lost_on,
        count(case when is_closed and not is_won then 1 end) as deals_lost
    from {{ ref('fct_opportunities') }}
    where account_id is not null
    group by account_id
),

responses as (
    select
        trigger_type,
        lift
    from {{ ref('trigger_response') }}
    where response_kind = 'event'
),

-- Of several events on one day the one that more is bought after.
triggers as (
    select
        events.account_id,
        events.trigger_type,
        events.occurred_on,
        responses.lift,
        row_number() over (
            partition by events.account_id
            order by events.occurred_on desc, responses.lift desc, events.trigger_type asc
        ) as newest_rank
    from {{ ref('fct_trigger_events') }} as events
    left join responses on events.trigger_type = responses.trigger_type
    where
        events.account_id is not null
        and events.occurred_on <= {{ as_of_date() }}
        and events.known_at < {{ as_of_end() }}
),

addressed as (
    select
        states.account_id,
        max(campaigns.started_on) as last_campaign_on,
        max({{ utc_date('members.responded_at') }}) as last_answer_on
    from {{ ref('input_campaign_members') }} as members
    inner join {{ ref('input_campaigns') }} as campaigns
        on members.campaign_id = campaigns.campaign_id
    inner join {{ ref('int_person_map') }} as persons on members.contact_id = persons.contact_id
    inner join {{ ref('int_person_states') }} as states on persons.person_id = states.person_id
    where
        campaigns.started_on <= {{ as_of_date() }}
        and states.visible_to_on is null
        and not states.is_gone
    group by states.account_id
),

placed as (
    select
        leads.account_id,
        leads.owner_id,
        leads.segment,
        leads.region,
        leads.created_on,
        deals.last_lost_on,
        triggers.occurred_on as last_trigger_on,
        triggers.trigger_type as last_trigger_type,
        triggers.lift as last_trigger_lift,
        addressed.last_campaign_on,
        addressed.last_answer_on,
        coalesce(deals.deals_lost, 0) as deals_lost,
        case
            when deals.has_open_deal = 1 then 'in_deal'
            when deals.has_won_deal = 1 then 'won_not_started'
            when deals.deals_lost > 0 then 'lost_deal'
            else 'no_deal_yet'
        end as lead_status,
        case
            when deals.last_lost_on > leads.created_on then deals.last_lost_on
            else leads.created_on
        end as pool_since_on
    from leads
    left join deals on leads.account_id = deals.account_id
    left join triggers on leads.account_id = triggers.account_id and triggers.newest_rank = 1
    left join addressed on leads.account_id = addressed.account_id
)

select
    account_id,
    owner_id,
    pool_since_on,
    last_lost_on,
    last_trigger_on,
    last_campaign_on,
    last_answer_on,
    segment,
    region,
    lead_status,
    last_trigger_type,
    case
        when lead_status in ('in_deal', 'won_not_started') then 'in_deal'
        when
            {{ within_days('last_trigger_on', as_of_date(), timely_days) }}
            and coalesce(last_trigger_lift > 1, false)
            then 'timely'
        when last_trigger_on is not null then 'waiting'
        else 'unknown_timing'
    end as time_segment,
    deals_lost,
    case
        when lead_status in ('lost_deal', 'no_deal_yet')
            then cast({{ dbt.datediff('pool_since_on', as_of_date(), 'day') }} as bigint)
    end as pool_age_days,
    cast({{ dbt.datediff('last_trigger_on', as_of_date(), 'day') }} as bigint)
        as days_since_trigger,
    last_trigger_lift,
    lead_status in ('lost_deal', 'no_deal_yet') as is_in_pool
from placed
