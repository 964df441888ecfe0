{# Share of the features entitled to from which on an account counts as an adopter. #}
{% set adopted_share = 0.5 %}
with

months as (
    select
        account_id,
        month_end_on,
        segment,
        region,
        closing_mrr_usd
    from {{ ref('fct_account_months') }}
    where is_active
),

usage as (
    select
        account_id,
        observed_on,
        usage_basis,
        last_usage_on,
        licences,
        active_users_28d,
        active_users_90d,
        regular_users,
        power_users,
        power_user_share,
        utilisation_rate,
        features_used_90d,
        features_entitled,
        feature_adoption_rate,
        strategic_features_adopted
    from {{ ref('int_usage_account_months') }}
),

known_users as (
    select
        account_id,
        observed_on,
        month_end_on,
        person_id,
        is_power_user,
        is_superfan
    from {{ ref('int_known_user_months') }}
),

-- The role is optional: where nobody carries it, nothing is known of customers' customers.
end_customers as (
    select
        person_id,
        account_id,
        visible_from_on,
        coalesce(visible_to_on, cast('9999-12-31' as date)) as visible_to_on
    from {{ ref('int_person_states') }}
    where {{ has_role('roles', 'end_customer') }}
),

-- Nobody has adopted a strategic feature only where it is said which those are.
strategy as (
    select count(is_strategic) > 0 as is_told
    from {{ ref('dim_features') }}
),

end_customers_told as (
    select min(visible_from_on) as told_from_on
    from end_customers
),

people as (
    select
        known_users.account_id,
        known_users.observed_on,
        count(case when known_users.is_power_user then 1 end) as power_users_known,
        count(case when known_users.is_superfan then 1 end) as superfans,
        count(end_customers.person_id) as end_customer_users
    from known_users
    left join end_customers
        on
            known_users.person_id = end_customers.person_id
            and known_users.account_id = end_customers.account_id
            and known_users.observed_on >= end_customers.visible_from_on
            and known_users.observed_on < end_customers.visible_to_on
    group by known_users.account_id, known_users.observed_on
),

-- A fan who has cooled and then leaves is no loss of a fan: the newest look before counts.
departures as (
    select
        known_users.account_id,
        {{ month_end('changes.known_on') }} as month_end_on,
        known_users.person_id,
        known_users.is_superfan,
        row_number() over (
            partition by changes.job_change_id
            order by known_users.observed_on desc
        ) as newest_rank
    from {{ ref('fct_job_changes') }} as changes
    inner join known_users
        on
            changes.person_id = known_users.person_id
            and changes.from_account_id = known_users.account_id
            and changes.known_on >= known_users.observed_on
    where
        changes.is_departure
        and {{ within_days('known_users.observed_on', 'changes.known_on', 365) }}
),

fans_left as (
    select
        account_id,
        month_end_on,
        count(distinct person_id) as superfans_left
    from departures
    where newest_rank = 1 and is_superfan
    group by account_id, month_end_on
),

-- Fans lost within the year; a year from now they are gone from the count, not from the customer.
fans_left_12m as (
    select
        months.account_id,
        months.month_end_on,
        sum(fans_left.superfans_left) as superfans_left_12m
    from months
    inner join fans_left
        on
            months.account_id = fans_left.account_id
            and months.month_end_on >= fans_left.month_end_on
            and fans_left.month_end_on > {{ months_after('months.month_end_on', -12) }}
    group by months.account_id, months.month_end_on
),

opinions_told as (
    select min(responded_on) as told_from_on
    from {{ ref('fct_survey_responses') }}
    where survey_type = 'nps'
),

novelty as (
    select
        novelty.account_id,
        novelty.observed_on,
        novelty.novelty_score,
        coalesce(features.feature_name, novelty.novel_feature_id)
        || ': ' || cast(
            cast(round(100 * novelty.novel_feature_event_share) as bigint) as varchar
        )
        || ' % of its events, used by ' || cast(
            cast(round(100 * novelty.novel_feature_account_share) as bigint) as varchar
        ) || ' % of customers' as novel_pattern_desc
    from {{ ref('int_novelty_account_months') }} as novelty
    left join {{ ref('dim_features') }} as features
        on novelty.novel_feature_id = features.feature_id
)

select
    months.account_id,
    months.month_end_on,
    usage.last_usage_on,
    months.segment,
    months.region,
    usage.usage_basis,
    novelty.novel_pattern_desc,
    months.closing_mrr_usd,
    usage.licences,
    usage.active_users_28d,
    usage.active_users_90d,
    usage.utilisation_rate,
    {{ stable(
        'case when usage.usage_basis = before.usage_basis'
        ~ ' then 100 * (usage.utilisation_rate - before.utilisation_rate) end'
    ) }} as utilisation_qoq_pp,
    usage.features_used_90d,
    usage.features_entitled,
    usage.feature_adoption_rate,
    {{ stable(
        'case when usage.usage_basis = before.usage_basis'
        ~ ' then 100 * (usage.feature_adoption_rate - before.feature_adoption_rate) end'
    ) }} as feature_adoption_qoq_pp,
    usage.regular_users,
    usage.power_users,
    usage.power_user_share,
    case when usage.power_users is not null then coalesce(people.power_users_known, 0) end
        as power_users_known,
    -- Whom nobody knows by name has no known opinion, nor has anybody before the first answer:
    -- who spoke for us is a fan all the same.
    case
        when usage.power_users = 0 then 0
        when people.superfans > 0 then people.superfans
        when people.power_users_known > 0 and months.month_end_on >= opinions_told.told_from_on
            then 0
    end as superfans,
    case
        when usage.usage_basis = 'daily' then cast(coalesce(fans_left.superfans_left, 0) as bigint)
    end as superfans_left,
    case
        when usage.usage_basis = 'daily'
            then cast(coalesce(fans_left_12m.superfans_left_12m, 0) as bigint)
    end as superfans_left_12m,
    departments.departments_known,
    departments.departments_active,
    case
        when
            usage.usage_basis = 'daily'
            and months.month_end_on >= end_customers_told.told_from_on
            then coalesce(people.end_customer_users, 0)
    end as end_customer_users,
    case when strategy.is_told then usage.strategic_features_adopted end
        as strategic_features_adopted,
    novelty.novelty_score as usage_novelty_score,
    usage.feature_adoption_rate >= {{ adopted_share }} as is_50pct_plus,
    case when strategy.is_told then usage.strategic_features_adopted > 0 end
        as has_strategic_feature_adopted
from months
cross join strategy
cross join end_customers_told
cross join opinions_told
left join usage
    on
        months.account_id = usage.account_id
        and months.month_end_on = usage.observed_on
left join usage as before
    on
        months.account_id = before.account_id
        and {{ month_end(months_after('months.month_end_on', -3)) }} = before.observed_on
left join people
    on
        months.account_id = people.account_id
        and months.month_end_on = people.observed_on
left join fans_left
    on
        months.account_id = fans_left.account_id
        and months.month_end_on = fans_left.month_end_on
left join fans_left_12m
    on
        months.account_id = fans_left_12m.account_id
        and months.month_end_on = fans_left_12m.month_end_on
left join {{ ref('int_department_account_months') }} as departments
    on
        months.account_id = departments.account_id
        and months.month_end_on = departments.observed_on
left join novelty
    on
        months.account_id = novelty.account_id
        and months.month_end_on = novelty.observed_on
