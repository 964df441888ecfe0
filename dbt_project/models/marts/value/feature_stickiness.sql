{# Share of an account's active users from which on a feature counts as adopted. #}
{% set adopted_share = 0.10 %}
{# Days before due at which is looked; use is seen at the month-end before. #}
{% set lead_days = 90 %}
{# Renewals with the feature, and losses and renewals among them or the rest, that a rank takes. #}
{% set enough, enough_of_each = 20, 5 %}
{% set z = 1.959963985 %}
with

features as (
    select
        feature_id,
        feature_name,
        is_strategic
    from {{ ref('dim_features') }}
),

terms as (
    select
        contract_term_id,
        account_id,
        coalesce(segment, '(unknown)') as segment,
        {{ last_month_end(days_after('due_on', 0 - lead_days)) }} as looked_on,
        is_lost
    from {{ ref('renewals') }}
    where is_lost or is_renewed
),

workspaces as (
    select
        workspace_id,
        account_id
    from {{ ref('int_workspace_map') }}
    where account_id is not null
),

used as (
    select
        workspaces.account_id,
        windows.month_end_on,
        sum(windows.active_users_90d) as active_users,
        sum(windows.events_90d) as events
    from {{ ref('int_usage_workspace_windows') }} as windows
    inner join workspaces on windows.workspace_id = workspaces.workspace_id
    group by workspaces.account_id, windows.month_end_on
),

features_used as (
    select
        workspaces.account_id,
        windows.month_end_on,
        windows.feature_id,
        sum(windows.users_90d) as users
    from {{ ref('int_usage_feature_windows') }} as windows
    inner join workspaces on windows.workspace_id = workspaces.workspace_id
    group by workspaces.account_id, windows.month_end_on, windows.feature_id
),

-- Who uses much uses every feature, and stays: features are compared among accounts of one segment
-- whose people use the product about as much.
looked_at as (
    select
        terms.contract_term_id,
        terms.account_id,
        terms.segment,
        terms.looked_on,
        terms.is_lost,
        used.active_users,
        ntile(3) over (
            partition by terms.segment
            order by cast(used.events as double) / used.active_users, terms.contract_term_id
        ) as intensity_third
    from terms
    inner join used
        on
            terms.account_id = used.account_id
            and terms.looked_on = used.month_end_on
    where used.active_users > 0
),

seen_features as (
    select distinct feature_id
    from features_used
),

judged as (
    select
        seen_features.feature_id,
        looked_at.segment,
        looked_at.intensity_third,
        looked_at.is_lost,
        coalesce(
            features_used.users >= {{ adopted_share }} * looked_at.active_users, false
        ) as is_adopted
    from looked_at
    cross join seen_features
    left join features_used
        on
            looked_at.account_id = features_used.account_id
            and looked_at.looked_on = features_used.month_end_on
            and seen_features.feature_id = features_used.feature_id
),

strata as (
    select
        feature_id,
        segment,
        intensity_third,
        cast(count(*) as double) as n,
        cast(count(case when is_adopted and is_lost then 1 end) as double) as lost_with,
        cast(count(case when is_adopted and not is_lost then 1 end) as double) as kept_with,
        cast(count(case when not is_adopted and is_lost then 1 end) as double) as lost_without,
        cast(count(case when not is_adopted and not is_lost then 1 end) as double) as kept_without
    from judged
    group by feature_id, segment, intensity_third
),

-- Mantel and Haenszel 1959, with the variance of Robins, Breslow and Greenland 1986.
weighed as (
    select
        *,
        lost_with * kept_without / n as odds_with,
        kept_with * lost_without / n as odds_without,
        (lost_with + kept_without) / n as share_agreeing,
        (kept_with + lost_without) / n as share_differing
    from strata
),

summed as (
    select
        feature_id,
        cast(sum(lost_with) as bigint) as lost_with,
        cast(sum(kept_with) as bigint) as kept_with,
        cast(sum(lost_without) as bigint) as lost_without,
        cast(sum(kept_without) as bigint) as kept_without,
        {{ exact_sum('odds_with') }} as odds_with,
        {{ exact_sum('odds_without') }} as odds_without,
        {{ exact_sum('share_agreeing * odds_with') }} as agreeing_with,
        {{ exact_sum('share_agreeing * odds_without + share_differing * odds_with') }} as crossed,
        {{ exact_sum('share_differing * odds_without') }} as differing_without
    from weighed
    group by feature_id
),

estimated as (
    select
        *,
        (lost_with + 0.5) * (kept_without + 0.5)
        / ((kept_with + 0.5) * (lost_without + 0.5)) as naive_odds_ratio,
        case when odds_with > 0 and odds_without > 0 then odds_with / odds_without end
            as odds_ratio,
        case
            when odds_with > 0 and odds_without > 0
                then
                    sqrt(
                        agreeing_with / (2 * odds_with * odds_with)
                        + crossed / (2 * odds_with * odds_without)
                        + differing_without / (2 * odds_without * odds_without)
                    )
        end as log_error,
        lost_with + kept_with >= {{ enough }}
        and lost_with >= {{ enough_of_each }} and kept_with >= {{ enough_of_each }}
        and lost_without >= {{ enough_of_each }} and kept_without >= {{ enough_of_each }}
            as is_reportable
    from summed
),

bounded as (
    select
        *,
        odds_ratio * exp(-{{ z }} * log_error) as odds_ratio_low,
        odds_ratio * exp({{ z }} * log_error) as odds_ratio_high
    from estimated
)

select
    bounded.feature_id,
    features.feature_name,
    case
        when not bounded.is_reportable or bounded.odds_ratio is null then 'refused'
        when bounded.odds_ratio_high < 1 then 'sticky'
        when bounded.odds_ratio_low > 1 then 'goes_with_loss'
        else 'no_difference_shown'
    end as verdict,
    bounded.lost_with + bounded.kept_with as renewals_with,
    bounded.lost_without + bounded.kept_without as renewals_without,
    bounded.lost_with,
    bounded.lost_without,
    {{ share_of('bounded.lost_with', 'bounded.lost_with + bounded.kept_with') }}
        as loss_rate_with,
    {{ share_of('bounded.lost_without', 'bounded.lost_without + bounded.kept_without') }}
        as loss_rate_without,
    {{ stable('bounded.naive_odds_ratio') }} as naive_odds_ratio,
    {{ stable('bounded.odds_ratio') }} as odds_ratio,
    {{ stable('bounded.odds_ratio_low') }} as odds_ratio_low,
    {{ stable('bounded.odds_ratio_high') }} as odds_ratio_high,
    case
        when bounded.is_reportable and bounded.odds_ratio is not null
            then
                rank() over (
                    partition by bounded.is_reportable and bounded.odds_ratio is not null
                    order by {{ stable('bounded.odds_ratio') }}, bounded.feature_id
                )
    end as stickiness_rank,
    features.is_strategic,
    bounded.is_reportable
from bounded
left join features on bounded.feature_id = features.feature_id
