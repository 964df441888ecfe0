{# Campaigns at which people meet. #}
{% set gatherings = "('conference', 'event', 'webinar', 'trade show')" %}
with

events as (
    select
        campaign_id,
        name as event_name,
        lower(campaign_type) as event_type,
        case lower(audience)
            when 'prospects' then 'prospect'
            when 'customers' then 'customer'
            else lower(audience)
        end as event_audience,
        started_on
    from {{ ref('input_campaigns') }}
    where lower(campaign_type) in {{ gatherings }} and started_on <= {{ as_of_date() }}
),

-- Two records of one person are one guest.
invitations as (
    select
        members.campaign_id,
        persons.person_id,
        min(members.known_at) as known_at,
        max(case when members.has_responded then 1 else 0 end) as has_attended
    from {{ ref('input_campaign_members') }} as members
    inner join {{ ref('int_person_map') }} as persons on members.contact_id = persons.contact_id
    where members.known_at < {{ as_of_end() }}
    group by members.campaign_id, persons.person_id
),

spells as (
    select
        person_id,
        account_id,
        started_on,
        ended_on
    from {{ ref('int_person_spells') }}
),

-- In force at any time; a company that came back has several.
services as (
    select
        account_id,
        started_on,
        coalesce(ended_on, due_on) as until_on
    from {{ ref('fct_contract_terms') }}
),

-- Where each guest worked on the day of the event, and whether that was a customer.
employers as (
    select
        invitations.campaign_id,
        invitations.person_id,
        spells.account_id,
        max(case when services.account_id is not null then 1 else 0 end) as is_customer,
        row_number() over (
            partition by invitations.campaign_id, invitations.person_id
            order by
                max(case when services.account_id is not null then 1 else 0 end) desc,
                max(spells.started_on) desc,
                spells.account_id asc
        ) as newest_rank
    from invitations
    inner join events on invitations.campaign_id = events.campaign_id
    inner join spells
        on
            invitations.person_id = spells.person_id
            and events.started_on >= spells.started_on
            and (spells.ended_on is null or events.started_on < spells.ended_on)
    left join services
        on
            spells.account_id = services.account_id
            and events.started_on >= services.started_on
            and events.started_on < services.until_on
    group by invitations.campaign_id, invitations.person_id, spells.account_id
),

former_users as (
    select distinct
        invitations.campaign_id,
        invitations.person_id
    from invitations
    inner join events on invitations.campaign_id = events.campaign_id
    inner join spells
        on
            invitations.person_id = spells.person_id
            and events.started_on >= spells.ended_on
    inner join services
        on
            spells.account_id = services.account_id
            and spells.ended_on > services.started_on
)

select
    invitations.campaign_id,
    invitations.person_id,
    employers.account_id,
    events.started_on as event_on,
    invitations.known_at,
    events.event_name,
    events.event_type,
    events.event_audience,
    case
        when employers.is_customer = 1 then 'customer'
        when former_users.person_id is not null then 'alumni'
        else 'prospect'
    end as audience_type,
    invitations.has_attended = 1 as has_attended
from invitations
inner join events on invitations.campaign_id = events.campaign_id
left join employers
    on
        invitations.campaign_id = employers.campaign_id
        and invitations.person_id = employers.person_id
        and employers.newest_rank = 1
left join former_users
    on
        invitations.campaign_id = former_users.campaign_id
        and invitations.person_id = former_users.person_id
