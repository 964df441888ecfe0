{# Days after an event in which a purchase counts as its fruit. #}
{% set window_days = 90 %}
{# Days for which the time to a purchase is followed. #}
{% set followed_days = 365 %}
{# So many of the newest wins are looked at for what came so many days before. #}
{% set wins_sampled, before_days = 50, 180 %}
with

events as (
    select
        trigger_event_id,
        account_id,
        trigger_type,
        occurred_on
    from {{ ref('fct_trigger_events') }}
    where account_id is not null and occurred_on <= {{ as_of_date() }}
),

purchases as (
    select
        opportunity_id,
        account_id,
        closed_on,
        amount_usd
    from {{ ref('fct_opportunities') }}
    where
        is_won
        and closed_on is not null
        and account_id is not null
        and opportunity_type in ('new_business', 'expansion', 'win_back')
),

-- One purchase after two events on one day follows both; the first after each is timed.
followed as (
    select
        events.trigger_event_id,
        events.account_id,
        events.trigger_type,
        events.occurred_on,
        min(purchases.closed_on) as bought_on
    from events
    left join purchases
        on
            events.account_id = purchases.account_id
            and events.occurred_on < purchases.closed_on
            and {{ days_after('events.occurred_on', followed_days) }} >= purchases.closed_on
    group by
        events.trigger_event_id, events.account_id, events.trigger_type, events.occurred_on
),

timed as (
    select
        *,
        {{ dbt.datediff('occurred_on', 'bought_on', 'day') }} as days_to_buy,
        {{ days_after('occurred_on', window_days) }} <= {{ as_of_date() }} as is_window_over
    from followed
),

-- How often the same companies buy within any 90 days: the days from which a purchase lies at most
-- so far ahead, over all their days. Counted on companies that the event happened to.
exposed as (
    select distinct
        events.trigger_type,
        accounts.account_id,
        {{ utc_date('accounts.created_at') }} as known_from_on,
        {{ days_after(as_of_date(), 1 - window_days) }} as ends_before_on
    from events
    inner join {{ ref('dim_accounts') }} as accounts on events.account_id = accounts.account_id
),

purchase_days as (
    select distinct
        account_id,
        closed_on
    from purchases
    where closed_on <= {{ as_of_date() }}
),

stretches as (
    select
        account_id,
        closed_on,
        greatest(
            {{ days_after('closed_on', 0 - window_days) }},
            coalesce(
                lag(closed_on) over (partition by account_id order by closed_on),
                cast('1900-01-01' as date)
            )
        ) as starts_on
    from purchase_days
),

covered as (
    select
        exposed.trigger_type,
        exposed.account_id,
        sum(
            greatest(
                {{ dbt.datediff(
                    'greatest(stretches.starts_on, exposed.known_from_on)',
                    'least(stretches.closed_on, exposed.ends_before_on)',
                    'day'
                ) }},
                0
            )
        ) as days_covered
    from exposed
    inner join stretches on exposed.account_id = stretches.account_id
    group by exposed.trigger_type, exposed.account_id
),

baselines as (
    select
        exposed.trigger_type,
        1.0 * sum(coalesce(covered.days_covered, 0))
        / nullif(
            sum({{ dbt.datediff('exposed.known_from_on', 'exposed.ends_before_on', 'day') }}), 0
        ) as share_bought
    from exposed
    left join covered
        on
            exposed.trigger_type = covered.trigger_type
            and exposed.account_id = covered.account_id
    where exposed.known_from_on < exposed.ends_before_on
    group by exposed.trigger_type
),

responses as (
    select
        trigger_type,
        count(*) as events,
        count(distinct account_id) as accounts,
        count(case when is_window_over then 1 end) as events_followed,
        count(case when is_window_over and days_to_buy <= {{ window_days }} then 1 end)
            as events_bought,
        percentile_cont(0.5) within group (order by days_to_buy) as days_to_buy_p50,
        percentile_cont(0.9) within group (order by days_to_buy) as days_to_buy_p90
    from timed
    group by trigger_type
),

companies as (
    select
        account_id,
        coalesce(segment, '(unknown)') as segment,
        {{ utc_date('created_at') }} as known_from_on
    from {{ ref('dim_accounts') }}
    where not coalesce(is_test, false) and not coalesce(is_merged, false)
),

ranked_wins as (
    select
        purchases.opportunity_id,
        purchases.account_id,
        companies.segment,
        {{ days_after('purchases.closed_on', 0 - before_days) }} as from_on,
        purchases.closed_on,
        row_number() over (
            order by purchases.closed_on desc, purchases.opportunity_id asc
        ) as newest_rank
    from purchases
    inner join companies on purchases.account_id = companies.account_id
    where purchases.closed_on <= {{ as_of_date() }}
),

recent_wins as (
    select
        opportunity_id,
        account_id,
        segment,
        from_on,
        closed_on
    from ranked_wins
    where newest_rank <= {{ wins_sampled }}
),

-- Beside each win the companies of its segment that were known as long and bought nothing from so
-- long before it until as many days after it as an event is followed for.
buyers as (
    select distinct
        recent_wins.opportunity_id,
        companies.account_id
    from recent_wins
    inner join purchases
        on
            recent_wins.from_on <= purchases.closed_on
            and {{ days_after('recent_wins.closed_on', window_days) }} >= purchases.closed_on
    inner join companies
        on
            purchases.account_id = companies.account_id
            and recent_wins.segment = companies.segment
            and recent_wins.from_on >= companies.known_from_on
),

buyer_counts as (
    select
        opportunity_id,
        count(*) as companies
    from buyers
    group by opportunity_id
),

beside_wins as (
    select
        recent_wins.opportunity_id,
        count(companies.account_id) - coalesce(max(buyer_counts.companies), 0) as companies
    from recent_wins
    left join companies
        on
            recent_wins.segment = companies.segment
            and recent_wins.from_on >= companies.known_from_on
    left join buyer_counts on recent_wins.opportunity_id = buyer_counts.opportunity_id
    group by recent_wins.opportunity_id
),

looked_at as (
    select
        count(*) as wins,
        sum(companies) as others
    from beside_wins
),

before_wins as (
    select distinct
        recent_wins.opportunity_id,
        events.trigger_type,
        events.account_id
    from recent_wins
    inner join events
        on
            recent_wins.from_on <= events.occurred_on
            and recent_wins.closed_on > events.occurred_on
    inner join companies
        on
            events.account_id = companies.account_id
            and recent_wins.segment = companies.segment
            and recent_wins.from_on >= companies.known_from_on
    where events.account_id <> recent_wins.account_id
    union distinct
    select
        recent_wins.opportunity_id,
        events.trigger_type,
        events.account_id
    from recent_wins
    inner join events
        on
            recent_wins.account_id = events.account_id
            and recent_wins.from_on <= events.occurred_on
            and recent_wins.closed_on > events.occurred_on
),

precedents as (
    select
        before_wins.trigger_type,
        count(case when before_wins.account_id = recent_wins.account_id then 1 end) as wins_with,
        count(
            case
                when
                    before_wins.account_id <> recent_wins.account_id
                    and buyers.account_id is null
                    then 1
            end
        ) as others_with
    from before_wins
    inner join recent_wins on before_wins.opportunity_id = recent_wins.opportunity_id
    left join buyers
        on
            before_wins.opportunity_id = buyers.opportunity_id
            and before_wins.account_id = buyers.account_id
    group by before_wins.trigger_type
),

campaigns as (
    select
        campaign_id,
        program_name,
        program_type,
        audience,
        started_on,
        cost_usd,
        members,
        members_responded,
        accounts_responded,
        accounts_converted_12m
    from {{ ref('programs') }}
    where program_kind = 'campaign' and members > 0
),

-- A campaign on a trigger is held against what else the same audience got within a year of it.
others as (
    select
        campaigns.campaign_id,
        sum(others.members) as members,
        sum(others.members_responded) as members_responded,
        sum(others.accounts_responded) as accounts_responded,
        sum(others.accounts_converted_12m) as accounts_converted_12m,
        sum(case when others.cost_usd is not null then others.members_responded end)
            as costed_responses,
        sum(others.cost_usd) as cost_usd
    from campaigns
    inner join campaigns as others
        on
            campaigns.audience = others.audience
            and {{ months_after('campaigns.started_on', -12) }} <= others.started_on
            and {{ months_after('campaigns.started_on', 12) }} >= others.started_on
    where campaigns.program_type = 'trigger' and others.program_type <> 'trigger'
    group by campaigns.campaign_id
)

select
    'event/' || responses.trigger_type as response_key,
    cast(null as {{ dbt.type_string() }}) as campaign_id,
    cast(null as date) as started_on,
    'event' as response_kind,
    responses.trigger_type,
    cast(null as {{ dbt.type_string() }}) as campaign_name,
    responses.events,
    responses.accounts,
    responses.events_followed,
    responses.events_bought,
    {{ stable('1.0 * responses.events_bought / nullif(responses.events_followed, 0)') }}
        as conversion_rate,
    {{ stable('baselines.share_bought') }} as baseline_conversion_rate,
    {{ stable(
        '1.0 * responses.events_bought / nullif(responses.events_followed, 0)'
        ~ ' / nullif(baselines.share_bought, 0)'
    ) }} as lift,
    {{ stable('responses.days_to_buy_p50') }} as days_to_buy_p50,
    {{ stable('responses.days_to_buy_p90') }} as days_to_buy_p90,
    looked_at.wins as wins_sampled,
    coalesce(precedents.wins_with, 0) as wins_with_event,
    cast(looked_at.others as bigint) as others_sampled,
    coalesce(precedents.others_with, 0) as others_with_event,
    {{ stable(
        '(1.0 * coalesce(precedents.wins_with, 0) / nullif(looked_at.wins, 0))'
        ~ ' / nullif(1.0 * precedents.others_with / nullif(looked_at.others, 0), 0)'
    ) }} as lift_before_wins,
    cast(null as double) as contact_to_lead_rate,
    cast(null as double) as contact_to_lead_vs_baseline_ratio,
    cast(null as decimal(18, 2)) as cost_per_lead_usd,
    cast(null as double) as cost_per_lead_vs_baseline_ratio
from responses
cross join looked_at
left join baselines on responses.trigger_type = baselines.trigger_type
left join precedents on responses.trigger_type = precedents.trigger_type
union all
select
    'campaign/' || campaigns.campaign_id as response_key,
    campaigns.campaign_id,
    campaigns.started_on,
    'campaign' as response_kind,
    cast(null as {{ dbt.type_string() }}) as trigger_type,
    campaigns.program_name as campaign_name,
    campaigns.members as events,
    campaigns.accounts_responded as accounts,
    campaigns.accounts_responded as events_followed,
    campaigns.accounts_converted_12m as events_bought,
    {{ stable(
        '1.0 * campaigns.accounts_converted_12m / nullif(campaigns.accounts_responded, 0)'
    ) }} as conversion_rate,
    {{ stable('1.0 * others.accounts_converted_12m / nullif(others.accounts_responded, 0)') }}
        as baseline_conversion_rate,
    {{ stable(
        '1.0 * campaigns.accounts_converted_12m / nullif(campaigns.accounts_responded, 0)'
        ~ ' / nullif(1.0 * others.accounts_converted_12m'
        ~ ' / nullif(others.accounts_responded, 0), 0)'
    ) }} as lift,
    cast(null as double) as days_to_buy_p50,
    cast(null as double) as days_to_buy_p90,
    cast(null as bigint) as wins_sampled,
    cast(null as bigint) as wins_with_event,
    cast(null as bigint) as others_sampled,
    cast(null as bigint) as others_with_event,
    cast(null as double) as lift_before_wins,
    {{ stable('1.0 * campaigns.members_responded / campaigns.members') }} as contact_to_lead_rate,
    {{ stable(
        '1.0 * campaigns.members_responded / campaigns.members'
        ~ ' / nullif(1.0 * others.members_responded / nullif(others.members, 0), 0)'
    ) }} as contact_to_lead_vs_baseline_ratio,
    cast(campaigns.cost_usd / nullif(campaigns.members_responded, 0) as decimal(18, 2))
        as cost_per_lead_usd,
    {{ stable(
        'campaigns.cost_usd / nullif(campaigns.members_responded, 0)'
        ~ ' / nullif(others.cost_usd / nullif(others.costed_responses, 0), 0)'
    ) }} as cost_per_lead_vs_baseline_ratio
from campaigns
left join others on campaigns.campaign_id = others.campaign_id
where campaigns.program_type = 'trigger'
