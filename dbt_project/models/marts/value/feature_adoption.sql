{# Days after a release in which it is learnt and tried. #}
{% set launch_days = 90 %}
with

releases as (
    select
        releases.release_id,
        releases.feature_id,
        features.feature_name,
        releases.released_on,
        cast({{ dbt.date_trunc('quarter', 'releases.released_on') }} as date) as quarter_start_on,
        {{ days_after('releases.released_on', launch_days) }} as judged_on,
        {{ last_month_end(days_after('releases.released_on', -1)) }} as before_month_on,
        -- The first month-end whose whole window of 90 days lies behind the release.
        {{ month_end(days_after('releases.released_on', launch_days)) }} as after_month_on,
        releases.is_surprise_and_delight,
        features.is_strategic
    from {{ ref('input_releases') }} as releases
    left join {{ ref('dim_features') }} as features on releases.feature_id = features.feature_id
    where releases.feature_id is not null and releases.released_on <= {{ as_of_date() }}
),

delights as (
    select
        quarter_start_on,
        max(case when is_surprise_and_delight then 1 else 0 end) = 1 as has_delight
    from releases
    group by quarter_start_on
),

account_map as (
    select
        source_account_id,
        account_id
    from {{ ref('int_account_map') }}
    where not is_test
),

-- Who may use the feature at some time of its launch, and is a customer then.
entitled as (
    select distinct
        releases.release_id,
        account_map.account_id
    from releases
    inner join {{ ref('input_entitlements') }} as entitlements
        on
            releases.feature_id = entitlements.feature_id
            and releases.judged_on >= entitlements.entitled_from
            and (
                entitlements.entitled_to is null
                or releases.judged_on < entitlements.entitled_to
            )
    inner join account_map on entitlements.account_id = account_map.source_account_id
    where releases.judged_on <= {{ as_of_date() }}
),

raw_usage as (
    select min(usage_on) as first_usage_on
    from {{ ref('input_usage_daily') }}
),

-- Months of which raw events are kept with the whole window before them.
windows as (
    select
        windows.observed_on,
        windows.month_end_on
    from {{ ref('int_usage_windows') }} as windows
    cross join raw_usage
    where {{ days_after('windows.observed_on', -89) }} >= raw_usage.first_usage_on
),

used as (
    select
        workspaces.account_id,
        usage.feature_id,
        usage.observed_on,
        sum(usage.users_90d) as users_90d
    from {{ ref('int_usage_feature_windows') }} as usage
    inner join windows on usage.observed_on = windows.observed_on
    inner join {{ ref('int_workspace_map') }} as workspaces
        on usage.workspace_id = workspaces.workspace_id
    where workspaces.account_id is not null
    group by workspaces.account_id, usage.feature_id, usage.observed_on
),

usage as (
    select
        account_id,
        observed_on,
        active_users_90d
    from {{ ref('int_usage_account_months') }}
    where usage_basis = 'daily'
),

people as (
    select
        account_id,
        observed_on,
        contacts
    from {{ ref('int_people_account_months') }}
),

-- Nobody was trained only where trainings, and who took part, are written down.
touches_recorded as (
    select count(*) > 0 as is_recorded
    from {{ ref('int_touches') }}
),

people_recorded as (
    select count(*) > 0 as is_recorded
    from {{ ref('int_touch_people') }}
),

trained as (
    select
        entitled.release_id,
        entitled.account_id,
        count(distinct reached.person_id) as people_trained,
        count(distinct touches.activity_id) as trainings
    from entitled
    inner join releases on entitled.release_id = releases.release_id
    inner join {{ ref('int_touches') }} as touches
        on
            entitled.account_id = touches.account_id
            and releases.released_on <= touches.event_on
            and releases.judged_on > touches.event_on
            and touches.activity_type = 'training'
    left join {{ ref('int_touch_people') }} as reached on touches.activity_id = reached.activity_id
    group by entitled.release_id, entitled.account_id
),

-- Somebody read what we sent to customers in the weeks of the launch.
readers as (
    select
        states.account_id,
        {{ utc_date('members.responded_at') }} as read_on
    from {{ ref('input_campaign_members') }} as members
    inner join {{ ref('input_campaigns') }} as campaigns
        on members.campaign_id = campaigns.campaign_id
    inner join {{ ref('int_person_map') }} as persons on members.contact_id = persons.contact_id
    inner join {{ ref('int_person_states') }} as states
        on
            persons.person_id = states.person_id
            and {{ utc_date('members.responded_at') }} >= states.visible_from_on
            and (
                states.visible_to_on is null
                or {{ utc_date('members.responded_at') }} < states.visible_to_on
            )
    where
        members.has_responded
        and not states.is_gone
        and lower(campaigns.audience) = 'customers'
        and lower(campaigns.campaign_type) in ('email', 'webinar')
),

launch_readers as (
    select
        entitled.release_id,
        entitled.account_id,
        count(*) as readings
    from entitled
    inner join releases on entitled.release_id = releases.release_id
    inner join readers
        on
            entitled.account_id = readers.account_id
            and releases.released_on <= readers.read_on
            and releases.judged_on > readers.read_on
    group by entitled.release_id, entitled.account_id
),

answers as (
    select
        account_id,
        responded_on,
        score
    from {{ ref('fct_survey_responses') }}
    where survey_type = 'nps' and account_id is not null
),

reactions as (
    select
        entitled.release_id,
        entitled.account_id,
        avg(case when answers.responded_on >= releases.released_on then answers.score end)
        - avg(case when answers.responded_on < releases.released_on then answers.score end)
            as nps_change
    from entitled
    inner join releases on entitled.release_id = releases.release_id
    inner join answers
        on
            entitled.account_id = answers.account_id
            and {{ days_after('releases.released_on', 0 - launch_days) }} <= answers.responded_on
            and releases.judged_on > answers.responded_on
    group by entitled.release_id, entitled.account_id
)

select
    releases.release_id,
    entitled.account_id,
    releases.feature_id,
    releases.released_on,
    releases.quarter_start_on,
    windows.observed_on as used_until_on,
    releases.feature_name,
    dim_accounts.segment,
    case
        when before_windows.observed_on is not null
            then cast(coalesce(used_before.users_90d, 0) as bigint)
    end as users_before,
    case
        when windows.observed_on is not null
            then cast(coalesce(used_after.users_90d, 0) as bigint)
    end as users_after,
    {{ stable(
        'case when windows.observed_on is not null then '
        ~ '1.0 * coalesce(used_after.users_90d, 0) / nullif(usage.active_users_90d, 0) end'
    ) }} as adoption_90d_rate,
    case when people_recorded.is_recorded then coalesce(trained.people_trained, 0) end
        as people_trained,
    {{ stable(
        'case when people_recorded.is_recorded then'
        ~ ' 1.0 * coalesce(trained.people_trained, 0) / nullif(people.contacts, 0) end'
    ) }} as trained_rate,
    {{ stable('reactions.nps_change') }} as delight_reaction_nps,
    case
        when launch_readers.readings > 0 or coalesce(used_after.users_90d, 0) > 0 then true
        when windows.observed_on is not null then false
    end as is_aware,
    case when touches_recorded.is_recorded then coalesce(trained.trainings, 0) > 0 end
        as has_walkthrough,
    case when windows.observed_on is not null then coalesce(used_after.users_90d, 0) > 0 end
        as is_adopted,
    releases.is_strategic,
    releases.is_surprise_and_delight,
    delights.has_delight as has_delight_in_quarter
from entitled
inner join releases on entitled.release_id = releases.release_id
inner join delights on releases.quarter_start_on = delights.quarter_start_on
cross join touches_recorded
cross join people_recorded
inner join {{ ref('dim_accounts') }} as dim_accounts
    on entitled.account_id = dim_accounts.account_id
left join windows on releases.after_month_on = windows.month_end_on
left join windows as before_windows on releases.before_month_on = before_windows.month_end_on
left join used as used_after
    on
        entitled.account_id = used_after.account_id
        and releases.feature_id = used_after.feature_id
        and windows.observed_on = used_after.observed_on
left join used as used_before
    on
        entitled.account_id = used_before.account_id
        and releases.feature_id = used_before.feature_id
        and before_windows.observed_on = used_before.observed_on
left join usage
    on
        entitled.account_id = usage.account_id
        and windows.observed_on = usage.observed_on
left join people
    on
        entitled.account_id = people.account_id
        and releases.after_month_on = people.observed_on
left join trained
    on
        entitled.release_id = trained.release_id
        and entitled.account_id = trained.account_id
left join launch_readers
    on
        entitled.release_id = launch_readers.release_id
        and entitled.account_id = launch_readers.account_id
left join reactions
    on
        entitled.release_id = reactions.release_id
        and entitled.account_id = reactions.account_id
