with

observations as (
    select
        account_id,
        observed_on,
        month_end_on,
        month_number
    from {{ ref('int_account_observations') }}
),

acts as (
    select
        account_id,
        act_type,
        occurred_on,
        {{ visible_on('occurred_on', 'known_at') }} as visible_on
    from {{ ref('fct_advocacy') }}
    where account_id is not null
),

signals as (
    select
        account_id,
        signal_type,
        occurred_on,
        {{ visible_on('occurred_on', 'known_at') }} as visible_on
    from {{ ref('fct_social_signals') }}
    where account_id is not null
),

months_later as (
    {{ months_later(24) }}
),

advocacy as (
    select
        observations.account_id,
        observations.observed_on,
        count(*) as advocacy_acts_24m,
        sum(
            case
                when
                    {{ within_days('acts.occurred_on', 'observations.observed_on', 365) }}
                    then 1
                else 0
            end
        )
            as advocacy_acts_12m,
        sum(case when acts.act_type = 'case_study' then 1 else 0 end) as case_studies_24m,
        max(acts.occurred_on) as last_advocacy_on
    from acts
    cross join months_later
    inner join observations
        on
            acts.account_id = observations.account_id
            and {{ month_index('acts.occurred_on') }} + months_later.months_later
            = observations.month_number
    where
        acts.visible_on <= observations.observed_on
        and {{ within_days('acts.occurred_on', 'observations.observed_on', 730) }}
    group by observations.account_id, observations.observed_on
),

social as (
    select
        observations.account_id,
        observations.observed_on,
        sum(
            case
                when
                    signals.signal_type = 'mention'
                    and {{ within_days('signals.occurred_on', 'observations.observed_on', 90) }}
                    then 1
                else 0
            end
        ) as mentions_90d,
        sum(
            case
                when
                    signals.signal_type = 'competitor_connection'
                    and {{ within_days('signals.occurred_on', 'observations.observed_on', 28) }}
                    then 1
                else 0
            end
        ) as competitor_connections_28d,
        sum(
            case
                when
                    signals.signal_type = 'competitor_connection'
                    and {{ within_days('signals.occurred_on', 'observations.observed_on', 365) }}
                    then 1
                else 0
            end
        ) as competitor_connections_12m,
        max(signals.occurred_on) as last_signal_on
    from signals
    cross join months_later
    inner join observations
        on
            signals.account_id = observations.account_id
            and {{ month_index('signals.occurred_on') }} + months_later.months_later
            = observations.month_number
    where
        signals.visible_on <= observations.observed_on
        and months_later.months_later <= 12
    group by observations.account_id, observations.observed_on
),

-- Nothing heard is a fact only where somebody listens.
advocacy_coverage as (
    select min(visible_on) as recorded_from_on
    from acts
),

social_coverage as (
    select min(visible_on) as recorded_from_on
    from signals
)

select
    observations.account_id,
    observations.observed_on,
    observations.month_end_on,
    advocacy.last_advocacy_on,
    {% for measure in ['advocacy_acts_12m', 'advocacy_acts_24m', 'case_studies_24m'] -%}
        case
            when observations.observed_on >= advocacy_coverage.recorded_from_on
                then cast(coalesce(advocacy.{{ measure }}, 0) as bigint)
        end as {{ measure }},
    {% endfor -%}
    {% for measure in [
        'mentions_90d', 'competitor_connections_28d', 'competitor_connections_12m',
    ] -%}
        case
            when observations.observed_on >= social_coverage.recorded_from_on
                then cast(coalesce(social.{{ measure }}, 0) as bigint)
        end as {{ measure }},
    {% endfor -%}
    social.last_signal_on
from observations
cross join advocacy_coverage
cross join social_coverage
left join advocacy
    on
        observations.account_id = advocacy.account_id
        and observations.observed_on = advocacy.observed_on
left join social
    on
        observations.account_id = social.account_id
        and observations.observed_on = social.observed_on
