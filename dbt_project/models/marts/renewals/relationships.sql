{# A champion lost so many days ago and replaced is still told of. #}
{% set told_days = 365 %}
{# An executive nobody spoke with for so many days is cold. #}
{% set silent_days = 180 %}
{# Satisfaction (1-5) from which users are happy with the support they get. #}
{% set happy_csat = 4 %}
{# An index of which less is known (share of the weights) is a guess. #}
{% set least_known = 0.5 %}
{# Disconnection from which the relationship itself is at risk. #}
{% set at_risk_from = 0.5 %}
{# Months are counted from year 0. #}
{% set after_all_months = 120000 %}
with

observations as (
    select
        account_id,
        observed_on,
        month_end_on,
        month_number,
        life_started_on
    from {{ ref('int_account_observations') }}
),

accounts as (
    select
        account_id,
        segment
    from {{ ref('dim_accounts') }}
),

contracts as (
    select
        account_id,
        observed_on
    from {{ ref('int_contract_account_months') }}
),

people as (
    select
        account_id,
        observed_on,
        contacts,
        contacts_end_user,
        contacts_manager,
        contacts_director_plus,
        contacts_level_unknown,
        related_contacts,
        people_in_touch_180d,
        level_diversity,
        new_relationships,
        new_relationships_end_user,
        new_relationships_manager,
        new_relationships_director_plus,
        contacts_departed_12m,
        directors_departed_12m,
        directors_known_by_sales_only,
        directors_known_by_others,
        sponsor_lost_on,
        coalesce(sponsor_joined_on, director_joined_on) as exec_joined_on,
        has_champion,
        has_sponsor,
        is_single_threaded
    from {{ ref('int_people_account_months') }}
),

touches as (
    select
        account_id,
        observed_on,
        touches_12m,
        visits_12m,
        last_director_touch_on,
        last_two_way_director_touch_on,
        last_visit_on,
        last_value_report_on,
        days_since_director_touch
    from {{ ref('int_touch_account_months') }}
),

surveys as (
    select
        account_id,
        observed_on,
        user_sentiment_12m,
        exec_sentiment_12m,
        exec_user_gap,
        exec_nps_last_score,
        csat_share_12m,
        value_awareness
    from {{ ref('int_survey_account_months') }}
),

cases as (
    select
        account_id,
        observed_on,
        case_csat_12m
    from {{ ref('int_case_account_months') }}
),

success as (
    select
        account_id,
        observed_on,
        has_purchase_reason
    from {{ ref('int_success_account_months') }}
),

champions as (
    select
        account_id,
        lost_on,
        known_to_on
    from {{ ref('int_champion_spells') }}
    where is_champion and known_to_on is not null
),

fans as (
    select
        account_id,
        observed_on,
        count(*) as competitor_fans,
        max(joined_on) as competitor_fan_joined_on
    from {{ ref('int_competitor_fans') }}
    group by account_id, observed_on
),

activities as (
    select
        account_id,
        event_on,
        visible_on,
        activity_type,
        employee_function,
        highest_level_reached,
        people_reached,
        has_director_plus
    from {{ ref('int_touches') }}
    where account_id is not null
),

csat_scale as (
    select
        max(score_min) as score_min,
        max(score_max) as score_max
    from {{ ref('survey_scales') }}
    where survey_type = 'csat'
),

weights as (
    select
        {% for component in [
            'champion_or_sponsor_gone', 'days_since_director_touch', 'single_threaded',
            'value_unawareness',
        ] -%}
            max(case when component = '{{ component }}' then weight end) as {{ component }},
        {% endfor -%}
        max(case when component = 'days_since_director_touch' then saturates_at end)
            as director_touch_saturates_at
    from {{ ref('disconnection_weights') }}
),

signals as (
    select {{ visible_on('occurred_on', 'known_at') }} as visible_on
    from {{ ref('fct_social_signals') }}
),

measures as (
    select {{ visible_on('defined_on', 'known_at') }} as visible_on
    from {{ ref('input_success_measures') }}
),

-- Nothing found is a fact only where it is recorded at all.
people_recorded as (
    select
        min(case when people_reached > 0 then visible_on end) as from_on,
        count(highest_level_reached) > 0 as are_levels_recorded
    from activities
),

signals_recorded as (
    select min(visible_on) as from_on
    from signals
),

measures_recorded as (
    select min(visible_on) as from_on
    from measures
),

champions_lost as (
    select
        observations.account_id,
        observations.observed_on,
        max(champions.lost_on) as last_champion_lost_on
    from observations
    inner join champions
        on
            observations.account_id = champions.account_id
            and observations.observed_on >= champions.known_to_on
    group by observations.account_id, observations.observed_on
),

months_later as (
    {{ months_later(12) }}
),

visited as (
    select
        observations.account_id,
        observations.observed_on,
        count(case when activities.highest_level_reached = 'end_user' then 1 end)
            as visits_end_user_12m,
        count(case when activities.highest_level_reached = 'manager' then 1 end)
            as visits_manager_12m,
        count(case when activities.highest_level_reached = 'director_plus' then 1 end)
            as visits_director_plus_12m
    from activities
    cross join months_later
    inner join observations
        on
            activities.account_id = observations.account_id
            and {{ month_index('activities.event_on') }} + months_later.months_later
            = observations.month_number
    where
        activities.activity_type = 'visit'
        and activities.visible_on <= observations.observed_on
        and {{ within_days('activities.event_on', 'observations.observed_on', 365) }}
    group by observations.account_id, observations.observed_on
),

-- Who of us an executive saw last: texts of this kind sort by day.
exec_touches as (
    select
        account_id,
        {{ month_index('visible_on') }} as month_number,
        max(cast(event_on as {{ dbt.type_string() }}) || '/' || coalesce(employee_function, ''))
            as touch_key
    from activities
    where has_director_plus
    group by account_id, {{ month_index('visible_on') }}
),

-- What became visible in a month stands until something newer does.
last_exec_touches as (
    select
        account_id,
        month_number as from_month_number,
        lead(month_number, 1, {{ after_all_months }}) over (
            partition by account_id
            order by month_number
        ) as until_month_number,
        max(touch_key) over (
            partition by account_id
            order by month_number
            rows unbounded preceding
        ) as touch_key
    from exec_touches
),

joined as (
    select
        observations.account_id,
        observations.month_end_on,
        observations.observed_on,
        observations.life_started_on,
        accounts.segment,
        contracts.account_id is not null as is_customer,
        people.contacts,
        people.contacts_end_user,
        people.contacts_manager,
        people.contacts_director_plus,
        people.contacts_level_unknown,
        people.related_contacts,
        people.people_in_touch_180d,
        people.level_diversity,
        people.new_relationships,
        people.new_relationships_end_user,
        people.new_relationships_manager,
        people.new_relationships_director_plus,
        people.contacts_departed_12m,
        people.directors_departed_12m,
        people.directors_known_by_sales_only,
        people.directors_known_by_others,
        people.sponsor_lost_on,
        people.exec_joined_on,
        people.has_champion,
        people.has_sponsor,
        people.is_single_threaded,
        avg(people.contacts) over (
            partition by observations.account_id
            order by observations.month_number
            rows between 11 preceding and current row
        ) as avg_contacts_12m,
        touches.visits_12m,
        touches.last_director_touch_on,
        touches.last_two_way_director_touch_on,
        touches.last_visit_on,
        touches.last_value_report_on,
        touches.days_since_director_touch,
        touches.touches_12m is not null as are_touches_recorded,
        -- People are known here, and what they do is recorded with their names.
        observations.observed_on >= people_recorded.from_on and people.contacts is not null
            as are_people_recorded,
        observations.observed_on >= signals_recorded.from_on as are_signals_recorded,
        observations.observed_on >= measures_recorded.from_on as are_measures_recorded,
        greatest(observations.life_started_on, people_recorded.from_on) as touchable_from_on,
        surveys.user_sentiment_12m,
        surveys.exec_sentiment_12m,
        surveys.exec_user_gap,
        surveys.exec_nps_last_score,
        surveys.value_awareness,
        coalesce(
            cases.case_csat_12m,
            csat_scale.score_min
            + surveys.csat_share_12m * (csat_scale.score_max - csat_scale.score_min)
        ) as user_csat,
        success.has_purchase_reason,
        champions_lost.last_champion_lost_on,
        fans.competitor_fans,
        fans.competitor_fan_joined_on,
        visited.visits_end_user_12m,
        visited.visits_manager_12m,
        visited.visits_director_plus_12m,
        people_recorded.are_levels_recorded,
        nullif({{ dbt.split_part('last_exec_touches.touch_key', "'/'", 2) }}, '')
            as last_exec_touch_function
    from observations
    cross join people_recorded
    cross join signals_recorded
    cross join measures_recorded
    cross join csat_scale
    left join accounts on observations.account_id = accounts.account_id
    left join last_exec_touches
        on
            observations.account_id = last_exec_touches.account_id
            and observations.month_number >= last_exec_touches.from_month_number
            and observations.month_number < last_exec_touches.until_month_number
    {% for part in [
        'contracts', 'people', 'touches', 'surveys', 'cases', 'success', 'champions_lost', 'fans',
        'visited',
    ] -%}
        left join {{ part }}
            on
                observations.account_id = {{ part }}.account_id
                and observations.observed_on = {{ part }}.observed_on
    {% endfor %}
),

judged as (
    select
        joined.*,
        case
            when joined.has_champion and {{ within_days(
                'joined.last_champion_lost_on', 'joined.observed_on', told_days
            ) }} then 'replaced'
            when joined.has_champion then 'in_place'
            when not joined.has_champion then 'lost'
        end as champion_status,
        case
            when not joined.has_champion or not joined.has_sponsor then true
            when coalesce(joined.has_champion, joined.has_sponsor) then false
        end as is_champion_or_sponsor_missing,
        -- Never touched is as long as the customer has been one and touches have been recorded.
        case
            when joined.are_people_recorded and joined.are_levels_recorded
                then
                    coalesce(
                        joined.days_since_director_touch,
                        {{ dbt.datediff('joined.touchable_from_on', 'joined.observed_on', 'day') }}
                    )
        end as days_without_director,
        joined.exec_joined_on > joined.life_started_on as has_exec_changed_since_purchase,
        weights.champion_or_sponsor_gone as w_champion,
        weights.days_since_director_touch as w_director,
        weights.single_threaded as w_single,
        weights.value_unawareness as w_unaware,
        weights.director_touch_saturates_at
    from joined
    cross join weights
),

parts as (
    select
        *,
        cast({{ as_flag('is_champion_or_sponsor_missing') }} as double) as champion_part,
        case
            when days_without_director is not null
                then least(1.0 * days_without_director / director_touch_saturates_at, 1.0)
        end as director_part,
        cast({{ as_flag('is_single_threaded') }} as double) as single_part,
        1.0 - value_awareness as unaware_part
    from judged
),

-- What is not known hands its weight to what is.
weighed as (
    select
        *,
        {% for part in ['champion', 'director', 'single', 'unaware'] -%}
            case when {{ part }}_part is not null then w_{{ part }} else 0.0 end
            {{ '+ ' if not loop.last }}
        {%- endfor %} as known_weight,
        {% for part in ['champion', 'director', 'single', 'unaware'] -%}
            coalesce(w_{{ part }} * {{ part }}_part, 0.0)
            {{ '+ ' if not loop.last }}
        {%- endfor %} as known_disconnection
    from parts
),

scored as (
    select
        *,
        case
            when known_weight >= {{ least_known }}
                then {{ stable('known_disconnection / known_weight') }}
        end as disconnection_index
    from weighed
)

select
    account_id,
    month_end_on,
    observed_on,
    case when champion_status in ('lost', 'replaced') then last_champion_lost_on end
        as champion_lost_on,
    sponsor_lost_on,
    exec_joined_on,
    last_director_touch_on,
    last_two_way_director_touch_on,
    last_visit_on,
    competitor_fan_joined_on,
    segment,
    champion_status,
    last_exec_touch_function,
    contacts,
    contacts_end_user,
    contacts_manager,
    contacts_director_plus,
    contacts_level_unknown,
    case when are_people_recorded then related_contacts end as related_contacts,
    people_in_touch_180d,
    level_diversity as diversity_index,
    {% for measure in [
        'new_relationships', 'new_relationships_end_user', 'new_relationships_manager',
        'new_relationships_director_plus',
    ] -%}
        case when are_people_recorded then {{ measure }} end as {{ measure }},
    {% endfor -%}
    contacts_departed_12m,
    directors_departed_12m,
    {{ share_of('contacts_departed_12m', 'avg_contacts_12m') }} as contact_turnover_rate,
    case when are_people_recorded then directors_known_by_sales_only end
        as executives_known_by_sales_only,
    cast(days_since_director_touch as bigint) as days_since_director_touch,
    visits_12m,
    {% for level in ['end_user', 'manager', 'director_plus'] -%}
        case
            when visits_12m is not null and are_levels_recorded
                then cast(coalesce(visits_{{ level }}_12m, 0) as bigint)
        end as visits_{{ level }}_12m,
    {% endfor -%}
    -- Few have fans: where nobody listens, only those who are seen all the same are counted.
    cast(
        case
            when are_signals_recorded and contacts is not null then coalesce(competitor_fans, 0)
            else competitor_fans
        end as bigint
    ) as competitor_fans,
    user_csat,
    user_sentiment_12m as user_sentiment,
    exec_sentiment_12m as exec_sentiment,
    exec_user_gap,
    exec_nps_last_score,
    value_awareness,
    disconnection_index,
    {{ stable('known_weight') }} as disconnection_known_share,
    is_customer,
    is_single_threaded,
    is_champion_or_sponsor_missing,
    has_exec_changed_since_purchase,
    case when are_measures_recorded then has_purchase_reason end as has_business_case,
    -- Who came later has never been told why it was bought.
    case
        when not has_exec_changed_since_purchase then false
        when has_exec_changed_since_purchase and are_touches_recorded
            then last_value_report_on is null or last_value_report_on < exec_joined_on
    end as has_memory_gap,
    case
        when are_people_recorded and are_levels_recorded
            then
                directors_known_by_sales_only > 0
                and directors_known_by_others = 0
                and days_without_director > {{ silent_days }}
    end as is_exec_known_by_sales_only,
    case
        when user_csat < {{ happy_csat }} then false
        when user_csat >= {{ happy_csat }} and exec_nps_last_score <= 6 then true
        when user_csat >= {{ happy_csat }} then days_without_director >= {{ silent_days }}
    end as has_happy_users_cold_executive,
    disconnection_index >= {{ at_risk_from }} as is_relationship_at_risk
from scored
