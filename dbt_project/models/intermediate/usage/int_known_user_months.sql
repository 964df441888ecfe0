{# Days for which an answer, and for which an act of advocacy, speaks for a person. #}
{% set answer_days, act_days = 365, 730 %}
with

observations as (
    select
        account_id,
        observed_on,
        month_end_on,
        features_entitled
    from {{ ref('int_usage_account_months') }}
    where usage_basis = 'daily'
),

-- Windows of other as-of dates may lie in the tables that are kept; the list of windows says which
-- count.
regular_users as (
    select
        workspaces.account_id,
        usage.observed_on,
        contact_persons.person_id,
        max(usage.features_used_28d) as features_used_28d,
        max(usage.active_days_28d) as active_days_28d
    from {{ ref('int_usage_regular_users') }} as usage
    inner join {{ ref('int_usage_windows') }} as windows on usage.observed_on = windows.observed_on
    inner join {{ ref('int_workspace_map') }} as workspaces
        on usage.workspace_id = workspaces.workspace_id
    inner join {{ ref('input_product_users') }} as users
        on
            usage.product_user_id = users.product_user_id
            and usage.workspace_id = users.workspace_id
    inner join {{ ref('int_person_map') }} as contact_persons
        on users.contact_id = contact_persons.contact_id
    where workspaces.account_id is not null
    group by workspaces.account_id, usage.observed_on, contact_persons.person_id
),

known_users as (
    select
        observations.account_id,
        observations.observed_on,
        observations.month_end_on,
        regular_users.person_id,
        regular_users.active_days_28d,
        regular_users.features_used_28d,
        case
            when observations.features_entitled > 0
                then
                    regular_users.features_used_28d
                    >= {{ var('power_user_feature_share', 0.5) }} * observations.features_entitled
        end as is_power_user
    from regular_users
    inner join observations
        on
            regular_users.account_id = observations.account_id
            and regular_users.observed_on = observations.observed_on
),

answers as (
    select
        person_id,
        survey_response_id,
        responded_on,
        score,
        {{ visible_on('responded_on', 'known_at') }} as visible_on
    from {{ ref('fct_survey_responses') }}
    where survey_type = 'nps' and person_id is not null and score is not null
),

answered as (
    select
        known_users.person_id,
        known_users.observed_on,
        answers.score,
        row_number() over (
            partition by known_users.account_id, known_users.person_id, known_users.observed_on
            order by answers.responded_on desc, answers.survey_response_id desc
        ) as newest_rank,
        known_users.account_id
    from known_users
    inner join answers on known_users.person_id = answers.person_id
    where
        answers.visible_on <= known_users.observed_on
        and {{ within_days('answers.responded_on', 'known_users.observed_on', answer_days) }}
),

acts as (
    select
        person_id,
        occurred_on,
        {{ visible_on('occurred_on', 'known_at') }} as visible_on
    from {{ ref('fct_advocacy') }}
    where person_id is not null
),

advocated as (
    select distinct
        known_users.account_id,
        known_users.person_id,
        known_users.observed_on
    from known_users
    inner join acts on known_users.person_id = acts.person_id
    where
        acts.visible_on <= known_users.observed_on
        and {{ within_days('acts.occurred_on', 'known_users.observed_on', act_days) }}
)

select
    known_users.account_id,
    known_users.observed_on,
    known_users.person_id,
    known_users.month_end_on,
    cast(known_users.active_days_28d as bigint) as active_days_28d,
    cast(known_users.features_used_28d as bigint) as features_used_28d,
    answered.score as nps_last_score,
    advocated.person_id is not null as has_advocated,
    known_users.is_power_user,
    known_users.is_power_user
    and (coalesce(answered.score >= 9, false) or advocated.person_id is not null) as is_superfan
from known_users
left join answered
    on
        known_users.account_id = answered.account_id
        and known_users.person_id = answered.person_id
        and known_users.observed_on = answered.observed_on
        and answered.newest_rank = 1
left join advocated
    on
        known_users.account_id = advocated.account_id
        and known_users.person_id = advocated.person_id
        and known_users.observed_on = advocated.observed_on
