{# A person is taken for a fan from so many connections to rivals' staff in a year on ... #}
{% set connections_of_a_fan = 2 %}
{# ... that are at least this share of what is heard of the person in public. #}
{% set affinity_of_a_fan = 0.5 %}
with

observations as (
    select
        account_id,
        observed_on,
        month_end_on,
        month_number
    from {{ ref('int_account_observations') }}
),

states as (
    select
        person_id,
        account_id,
        visible_from_on,
        visible_to_on,
        started_on
    from {{ ref('int_person_states') }}
    where not is_gone
),

spells as (
    select
        person_id,
        account_id,
        started_on,
        ended_on,
        start_visible_on
    from {{ ref('int_person_spells') }}
),

rivals_used as (
    select
        account_id,
        competitor_id,
        used_from_on,
        used_to_on,
        known_on
    from {{ ref('int_account_competitors') }}
),

signals as (
    select
        account_id,
        person_id,
        competitor_id,
        occurred_on,
        {{ visible_on('occurred_on', 'known_at') }} as visible_on
    from {{ ref('fct_social_signals') }}
    where account_id is not null and person_id is not null
),

months_later as (
    {{ months_later(12) }}
),

-- Whoever worked where a rival's product was in use.
users_of_rivals as (
    select
        spells.person_id,
        spells.account_id as prior_account_id,
        spells.started_on,
        rivals_used.competitor_id,
        greatest(spells.start_visible_on, rivals_used.known_on) as visible_on
    from spells
    inner join rivals_used
        on
            spells.account_id = rivals_used.account_id
            and coalesce(spells.ended_on, {{ as_of_date() }})
            > coalesce(rivals_used.used_from_on, spells.started_on)
            and (
                rivals_used.used_to_on is null
                or spells.started_on < rivals_used.used_to_on
            )
),

arrivals as (
    select
        observations.account_id,
        observations.observed_on,
        states.person_id,
        states.started_on,
        users_of_rivals.competitor_id,
        row_number() over (
            partition by observations.account_id, observations.observed_on, states.person_id
            order by users_of_rivals.started_on desc, users_of_rivals.competitor_id asc
        ) as newest_rank
    from users_of_rivals
    inner join states
        on
            users_of_rivals.person_id = states.person_id
            and users_of_rivals.prior_account_id <> states.account_id
            and users_of_rivals.started_on < states.started_on
    inner join observations
        on
            states.account_id = observations.account_id
            and states.visible_from_on <= observations.observed_on
            and (states.visible_to_on is null or states.visible_to_on > observations.observed_on)
            and users_of_rivals.visible_on <= observations.observed_on
),

-- The newest employer before this one counts.
arrived as (
    select
        account_id,
        observed_on,
        person_id,
        started_on,
        competitor_id
    from arrivals
    where newest_rank = 1
),

heard as (
    select
        observations.account_id,
        observations.observed_on,
        signals.person_id,
        count(*) as signals_12m,
        count(signals.competitor_id) as connections_12m,
        max(signals.competitor_id) as competitor_id
    from signals
    cross join months_later
    inner join observations
        on
            signals.account_id = observations.account_id
            and {{ month_index('signals.occurred_on') }} + months_later.months_later
            = observations.month_number
    where
        signals.visible_on <= observations.observed_on
        and {{ within_days('signals.occurred_on', 'observations.observed_on', 365) }}
    group by observations.account_id, observations.observed_on, signals.person_id
),

connected as (
    select
        heard.account_id,
        heard.observed_on,
        heard.person_id,
        states.started_on,
        heard.competitor_id,
        heard.connections_12m,
        {{ stable('1.0 * heard.connections_12m / heard.signals_12m') }} as competitor_affinity
    from heard
    inner join states
        on
            heard.person_id = states.person_id
            and heard.account_id = states.account_id
            and heard.observed_on >= states.visible_from_on
            and (states.visible_to_on is null or heard.observed_on < states.visible_to_on)
    where
        heard.connections_12m >= {{ connections_of_a_fan }}
        and heard.connections_12m >= {{ affinity_of_a_fan }} * heard.signals_12m
)

select
    coalesce(arrived.account_id, connected.account_id) as account_id,
    coalesce(arrived.observed_on, connected.observed_on) as observed_on,
    coalesce(arrived.person_id, connected.person_id) as person_id,
    coalesce(arrived.competitor_id, connected.competitor_id) as competitor_id,
    coalesce(arrived.started_on, connected.started_on) as joined_on,
    connected.connections_12m,
    connected.competitor_affinity,
    arrived.person_id is not null as has_used_competitor,
    connected.person_id is not null as is_connected_to_competitor
from arrived
full outer join connected
    on
        arrived.account_id = connected.account_id
        and arrived.observed_on = connected.observed_on
        and arrived.person_id = connected.person_id
