{# Campaign types at which people meet. #}
{% set gatherings = "('conference', 'event', 'webinar')" %}
{# Gatherings a year that keep a community alive. #}
{% set events_wanted = 2 %}
{# Campaigns within 30 days from which on a person is written to too often. #}
{% set too_many = 4 %}
with

campaigns as (
    select
        campaign_id,
        name as campaign_name,
        lower(campaign_type) as campaign_type,
        case lower(audience)
            when 'prospects' then 'prospect'
            when 'customers' then 'customer'
            else lower(audience)
        end as audience,
        started_on,
        ended_on,
        actual_cost_usd,
        {{ last_month_end('started_on') }} as month_before_on,
        lower(campaign_type) in {{ gatherings }} as is_gathering
    from {{ ref('input_campaigns') }}
    where started_on <= {{ as_of_date() }}
),

contacts as (
    select
        persons.contact_id,
        persons.person_id,
        coalesce(contacts.is_email_opted_out, false) as is_opted_out
    from {{ ref('int_person_map') }} as persons
    left join {{ ref('input_contacts') }} as contacts on persons.contact_id = contacts.contact_id
),

-- Two records of one person are one person who is written to once.
members as (
    select
        members.campaign_id,
        coalesce(contacts.person_id, members.contact_id) as person_id,
        max(case when members.has_responded then 1 else 0 end) as has_responded,
        max(case when contacts.is_opted_out then 1 else 0 end) as is_opted_out
    from {{ ref('input_campaign_members') }} as members
    left join contacts on members.contact_id = contacts.contact_id
    group by members.campaign_id, coalesce(contacts.person_id, members.contact_id)
),

-- Where a person worked when the campaign began; a former user is counted with the new employer.
employers as (
    select
        members.campaign_id,
        members.person_id,
        states.account_id,
        row_number() over (
            partition by members.campaign_id, members.person_id
            order by states.started_on desc, states.account_id asc
        ) as newest_rank
    from members
    inner join campaigns on members.campaign_id = campaigns.campaign_id
    inner join {{ ref('int_person_states') }} as states
        on
            members.person_id = states.person_id
            and campaigns.started_on >= states.visible_from_on
            and (states.visible_to_on is null or campaigns.started_on < states.visible_to_on)
    where not states.is_gone
),

pressure as (
    select
        members.campaign_id,
        members.person_id,
        count(*) as campaigns_30d
    from members
    inner join campaigns on members.campaign_id = campaigns.campaign_id
    inner join members as others on members.person_id = others.person_id
    inner join campaigns as other_campaigns
        on
            others.campaign_id = other_campaigns.campaign_id
            and campaigns.started_on >= other_campaigns.started_on
            and {{ days_after('campaigns.started_on', -30) }} < other_campaigns.started_on
    group by members.campaign_id, members.person_id
),

addressed as (
    select
        members.campaign_id,
        count(*) as members,
        sum(members.has_responded) as responded,
        sum(members.is_opted_out) as opted_out,
        avg(1.0 * pressure.campaigns_30d) as campaigns_per_person_30d,
        sum(case when pressure.campaigns_30d >= {{ too_many }} then 1 else 0 end) as fatigued
    from members
    left join pressure
        on
            members.campaign_id = pressure.campaign_id
            and members.person_id = pressure.person_id
    group by members.campaign_id
),

accounts_addressed as (
    select
        members.campaign_id,
        employers.account_id,
        max(members.has_responded) as has_responded
    from members
    inner join employers
        on
            members.campaign_id = employers.campaign_id
            and members.person_id = employers.person_id
            and employers.newest_rank = 1
    group by members.campaign_id, employers.account_id
),

won as (
    select
        opportunity_id,
        account_id,
        created_on,
        closed_on,
        amount_usd
    from {{ ref('fct_opportunities') }}
    where is_won and opportunity_type in ('new_business', 'expansion', 'win_back')
),

-- A deal counts for whoever answered before it was signed, at most a year before. Several campaigns
-- may share it: their deals do not add up to the company's.
conversions as (
    select
        accounts_addressed.campaign_id,
        count(distinct accounts_addressed.account_id) as accounts_converted_12m,
        count(distinct won.opportunity_id) as deals_12m,
        sum(won.amount_usd) as won_12m_usd
    from accounts_addressed
    inner join campaigns on accounts_addressed.campaign_id = campaigns.campaign_id
    inner join won
        on
            accounts_addressed.account_id = won.account_id
            and campaigns.started_on < won.closed_on
            and {{ months_after('campaigns.started_on', 12) }} >= won.closed_on
    where accounts_addressed.has_responded = 1
    group by accounts_addressed.campaign_id
),

account_counts as (
    select
        campaign_id,
        count(*) as accounts,
        sum(has_responded) as accounts_responded
    from accounts_addressed
    group by campaign_id
),

bands as (
    select
        account_id,
        month_end_on,
        attention_band
    from {{ ref('int_attention_bands') }}
    where attention_band = 'middle'
),

middle as (
    select
        campaigns.campaign_id,
        count(*) as middle_accounts,
        count(accounts_addressed.account_id) as middle_accounts_addressed
    from campaigns
    inner join bands on campaigns.month_before_on = bands.month_end_on
    left join accounts_addressed
        on
            campaigns.campaign_id = accounts_addressed.campaign_id
            and bands.account_id = accounts_addressed.account_id
    where campaigns.audience = 'customer'
    group by campaigns.campaign_id
),

gathered as (
    select
        campaigns.campaign_id,
        count(*) as events_12m
    from campaigns
    inner join campaigns as others
        on
            campaigns.audience = others.audience
            and campaigns.started_on >= others.started_on
            and {{ months_after('campaigns.started_on', -12) }} < others.started_on
    where others.is_gathering
    group by campaigns.campaign_id
),

-- Whoever had left a customer before an event and may be mailed today could have been invited.
alumni as (
    select
        person_id,
        left_on
    from {{ ref('alumni') }}
    where is_mailable
),

alumni_invited as (
    select
        campaigns.campaign_id,
        count(*) as alumni_eligible,
        count(members.person_id) as alumni_invited
    from campaigns
    inner join alumni on campaigns.started_on > alumni.left_on
    left join members
        on
            campaigns.campaign_id = members.campaign_id
            and alumni.person_id = members.person_id
    where campaigns.is_gathering
    group by campaigns.campaign_id
),

-- Nobody was reached only where who was addressed is written down at all.
members_recorded as (
    select count(*) > 0 as is_recorded
    from members
),

campaigns_recorded as (
    select count(*) > 0 as is_recorded
    from campaigns
),

alumni_events as (
    select count(*) as events_12m
    from campaigns
    where
        audience = 'alumni'
        and is_gathering
        and started_on > {{ months_after(as_of_date(), -12) }}
)

select
    'campaign/' || campaigns.campaign_id as program_key,
    cast(null as {{ dbt.type_string() }}) as program_id,
    campaigns.campaign_id,
    campaigns.started_on,
    campaigns.ended_on,
    'campaign' as program_kind,
    campaigns.campaign_name as program_name,
    campaigns.campaign_type as program_type,
    campaigns.audience,
    cast(campaigns.actual_cost_usd as decimal(18, 2)) as cost_usd,
    case when members_recorded.is_recorded then coalesce(addressed.members, 0) end as members,
    case when members_recorded.is_recorded then cast(coalesce(addressed.responded, 0) as bigint) end
        as members_responded,
    {{ stable('1.0 * addressed.responded / addressed.members') }} as response_rate,
    case when members_recorded.is_recorded then coalesce(account_counts.accounts, 0) end
        as accounts,
    case
        when members_recorded.is_recorded
            then cast(coalesce(account_counts.accounts_responded, 0) as bigint)
    end as accounts_responded,
    case when members_recorded.is_recorded then coalesce(conversions.accounts_converted_12m, 0) end
        as accounts_converted_12m,
    {{ stable(
        '1.0 * coalesce(conversions.accounts_converted_12m, 0)'
        ~ ' / nullif(account_counts.accounts_responded, 0)'
    ) }} as conversion_12m_rate,
    case when members_recorded.is_recorded then coalesce(conversions.deals_12m, 0) end as deals_12m,
    case
        when members_recorded.is_recorded
            then cast(coalesce(conversions.won_12m_usd, 0) as decimal(18, 2))
    end as won_12m_usd,
    {{ stable('campaigns.actual_cost_usd / nullif(conversions.won_12m_usd, 0)') }}
        as cost_per_won_ratio,
    cast(campaigns.actual_cost_usd / nullif(addressed.members, 0) as decimal(18, 2))
        as cost_per_touch_usd,
    {{ stable(
        'case when members_recorded.is_recorded then'
        ~ ' 1.0 * middle.middle_accounts_addressed / middle.middle_accounts end'
    ) }} as tech_touch_coverage_rate,
    {{ stable('addressed.campaigns_per_person_30d') }} as contacts_per_person_30d,
    {{ stable('1.0 * addressed.opted_out / addressed.members') }} as opt_out_rate,
    {{ stable('1.0 * addressed.fatigued / addressed.members') }} as fatigued_share,
    case when campaigns.audience is not null then coalesce(gathered.events_12m, 0) end
        as events_held_12m,
    alumni_invited.alumni_eligible,
    case
        when members_recorded.is_recorded
            then {{ share_of('alumni_invited.alumni_invited', 'alumni_invited.alumni_eligible') }}
    end as alumni_invited_share,
    cast(null as boolean) as is_cadence_met,
    campaigns.started_on > {{ months_after(as_of_date(), -12) }} as is_conversion_open
from campaigns
cross join members_recorded
left join addressed on campaigns.campaign_id = addressed.campaign_id
left join account_counts on campaigns.campaign_id = account_counts.campaign_id
left join conversions on campaigns.campaign_id = conversions.campaign_id
left join middle on campaigns.campaign_id = middle.campaign_id
left join gathered on campaigns.campaign_id = gathered.campaign_id
left join alumni_invited on campaigns.campaign_id = alumni_invited.campaign_id
union all
select
    'program/' || programs.program_id as program_key,
    programs.program_id,
    cast(null as {{ dbt.type_string() }}) as campaign_id,
    programs.started_on,
    programs.ended_on,
    'program' as program_kind,
    programs.program_name,
    lower(programs.program_type) as program_type,
    case when lower(programs.program_type) = 'alumni' then 'alumni' else 'customer' end as audience,
    programs.cost_usd,
    cast(null as bigint) as members,
    cast(null as bigint) as members_responded,
    cast(null as double) as response_rate,
    programs.accounts_treated as accounts,
    cast(null as bigint) as accounts_responded,
    cast(null as bigint) as accounts_converted_12m,
    cast(null as double) as conversion_12m_rate,
    cast(null as bigint) as deals_12m,
    cast(null as decimal(18, 2)) as won_12m_usd,
    cast(null as double) as cost_per_won_ratio,
    cast(null as decimal(18, 2)) as cost_per_touch_usd,
    cast(null as double) as tech_touch_coverage_rate,
    cast(null as double) as contacts_per_person_30d,
    cast(null as double) as opt_out_rate,
    cast(null as double) as fatigued_share,
    case
        when lower(programs.program_type) = 'alumni' and campaigns_recorded.is_recorded
            then alumni_events.events_12m
    end as events_held_12m,
    cast(null as bigint) as alumni_eligible,
    cast(null as double) as alumni_invited_share,
    case
        when lower(programs.program_type) = 'alumni' and campaigns_recorded.is_recorded
            then alumni_events.events_12m >= {{ events_wanted }}
    end as is_cadence_met,
    cast(null as boolean) as is_conversion_open
from {{ ref('dim_programs') }} as programs
cross join alumni_events
cross join campaigns_recorded
