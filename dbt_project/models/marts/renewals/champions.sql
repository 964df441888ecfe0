{# Stories a customer tells of us in public, as against a call or a word to one prospect. #}
{% set stories = "('case_study', 'blog', 'webinar', 'video', 'stage')" %}
with

spells as (
    select
        person_id,
        account_id,
        joined_on,
        known_from_on,
        known_to_on,
        lost_on,
        promoted_on,
        loss_type,
        first_level,
        last_level,
        is_champion,
        is_sponsor,
        coalesce(lost_on, {{ as_of_date() }}) as looked_on
    from {{ ref('int_champion_spells') }}
),

accounts as (
    select
        account_id,
        owner_id,
        segment
    from {{ ref('dim_accounts') }}
),

contracts as (
    select account_id
    from {{ ref('int_contract_account_months') }}
    where observed_on = {{ as_of_date() }}
),

job_changes as (
    select
        person_id,
        from_account_id,
        to_account_id,
        changed_on,
        joined_on,
        new_level
    from {{ ref('fct_job_changes') }}
    where is_departure
),

states as (
    select
        person_id,
        account_id,
        visible_from_on,
        coalesce(visible_to_on, {{ as_of_date() }}) as visible_to_on,
        level,
        {{ level_rank('level') }} as level_rank,
        lead({{ level_rank('level') }}) over (
            partition by person_id, account_id
            order by visible_from_on
        ) as level_rank_next,
        lead(is_gone) over (
            partition by person_id, account_id
            order by visible_from_on
        ) as is_gone_next,
        is_gone,
        is_champion or is_sponsor as is_in_role
    from {{ ref('int_person_states') }}
),

advocacy as (
    select
        account_id,
        person_id,
        occurred_on,
        act_type
    from {{ ref('fct_advocacy') }}
),

touches as (
    select
        touches.account_id,
        people.person_id,
        touches.event_on,
        touches.visible_on,
        touches.is_two_way
    from {{ ref('int_touches') }} as touches
    inner join {{ ref('int_touch_people') }} as people
        on touches.activity_id = people.activity_id
),

terms as (
    select
        account_id,
        due_on,
        is_renewed,
        is_lost
    from {{ ref('renewals') }}
    where is_renewed or is_lost
),

-- Whoever holds the role after the loss, the one who came to it first: on the day of the loss when
-- somebody else had it already.
successors as (
    select
        spells.person_id,
        spells.account_id,
        spells.known_from_on,
        others.person_id as replaced_by_person_id,
        greatest(others.known_from_on, spells.lost_on) as replaced_on,
        row_number() over (
            partition by spells.person_id, spells.account_id, spells.known_from_on
            order by
                greatest(others.known_from_on, spells.lost_on),
                others.known_from_on,
                others.person_id
        ) as successor_rank
    from spells
    inner join spells as others
        on
            spells.account_id = others.account_id
            and spells.person_id <> others.person_id
            and case when spells.is_champion then others.is_champion else others.is_sponsor end
            and coalesce(others.lost_on, cast('9999-12-31' as date)) > spells.lost_on
),

departures as (
    select
        spells.person_id,
        spells.account_id,
        spells.known_from_on,
        job_changes.to_account_id,
        job_changes.joined_on,
        job_changes.new_level,
        row_number() over (
            partition by spells.person_id, spells.account_id, spells.known_from_on
            order by job_changes.changed_on, job_changes.joined_on
        ) as departure_rank
    from spells
    inner join job_changes
        on
            spells.person_id = job_changes.person_id
            and spells.account_id = job_changes.from_account_id
            and spells.lost_on <= job_changes.changed_on
    where spells.loss_type = 'left'
),

told as (
    select
        spells.person_id,
        spells.account_id,
        spells.known_from_on,
        count(*) as advocacy_acts,
        count(case when advocacy.act_type in {{ stories }} then 1 end) as stories_told,
        max(case when advocacy.act_type in {{ stories }} then advocacy.occurred_on end)
            as last_story_on
    from spells
    inner join advocacy
        on
            spells.person_id = advocacy.person_id
            and spells.account_id = advocacy.account_id
            and advocacy.occurred_on between spells.known_from_on and spells.looked_on
    group by spells.person_id, spells.account_id, spells.known_from_on
),

touched as (
    select
        spells.person_id,
        spells.account_id,
        spells.known_from_on,
        count(*) as touches,
        count(case when touches.is_two_way then 1 end) as two_way_touches,
        count(
            case when {{ within_days('touches.event_on', 'spells.looked_on', 365) }} then 1 end
        ) as touches_12m,
        max(touches.event_on) as last_touch_on
    from spells
    inner join touches
        on
            spells.person_id = touches.person_id
            and spells.account_id = touches.account_id
            and touches.event_on between spells.known_from_on and spells.looked_on
    group by spells.person_id, spells.account_id, spells.known_from_on
),

renewed as (
    select
        spells.person_id,
        spells.account_id,
        spells.known_from_on,
        count(case when terms.is_renewed then 1 end) as renewals_won,
        count(case when terms.is_lost then 1 end) as renewals_lost
    from spells
    inner join terms
        on
            spells.account_id = terms.account_id
            and terms.due_on between spells.known_from_on and spells.looked_on
    group by spells.person_id, spells.account_id, spells.known_from_on
),

-- How often people of the same level who stand for nothing are promoted where they are.
peers as (
    select
        level,
        sum(
            case when level_rank_next > level_rank and not is_gone_next then 1.0 else 0.0 end
        ) as promotions,
        sum({{ dbt.datediff('visible_from_on', 'visible_to_on', 'day') }}) / 365.25 as years
    from states
    where not is_gone and not is_in_role and level in ('end_user', 'manager')
    group by level
),

acts_recorded as (
    select min(occurred_on) as from_on
    from advocacy
),

touches_recorded as (
    select min(visible_on) as from_on
    from touches
)

select
    spells.person_id
    || '-' || spells.account_id
    || '-' || cast(spells.known_from_on as {{ dbt.type_string() }})
        as champion_spell_id,
    spells.person_id,
    spells.account_id,
    accounts.owner_id,
    successors.replaced_by_person_id,
    departures.to_account_id as destination_account_id,
    spells.joined_on,
    spells.known_from_on as since_on,
    spells.lost_on,
    spells.known_to_on as loss_known_on,
    successors.replaced_on,
    spells.promoted_on,
    departures.joined_on as joined_destination_on,
    told.last_story_on,
    touched.last_touch_on,
    accounts.segment,
    case
        when spells.is_champion and spells.is_sponsor then 'champion_and_sponsor'
        when spells.is_champion then 'champion'
        else 'sponsor'
    end as role,
    case
        when spells.lost_on is null then 'in_place'
        when successors.replaced_on is null then 'lost'
        else 'replaced'
    end as status,
    spells.loss_type,
    spells.first_level,
    spells.last_level,
    departures.new_level as destination_level,
    cast({{ dbt.datediff('spells.known_from_on', 'spells.looked_on', 'day') }} as bigint)
        as days_in_role,
    cast({{ dbt.datediff('spells.lost_on', 'spells.known_to_on', 'day') }} as bigint)
        as loss_known_lag_days,
    cast({{ dbt.datediff('spells.lost_on', 'successors.replaced_on', 'day') }} as bigint)
        as days_to_replacement,
    case
        when spells.looked_on >= acts_recorded.from_on
            then cast(coalesce(told.advocacy_acts, 0) as bigint)
    end as advocacy_acts,
    case
        when spells.looked_on >= acts_recorded.from_on
            then cast(coalesce(told.stories_told, 0) as bigint)
    end as stories_told,
    {% for measure in ['touches', 'two_way_touches', 'touches_12m'] -%}
        case
            when spells.looked_on >= touches_recorded.from_on
                then cast(coalesce(touched.{{ measure }}, 0) as bigint)
        end as {{ measure }},
    {% endfor -%}
    cast(coalesce(renewed.renewals_won, 0) as bigint) as renewals_won,
    cast(coalesce(renewed.renewals_lost, 0) as bigint) as renewals_lost,
    {{ stable('case when peers.years > 0 then peers.promotions / peers.years end') }}
        as peer_promotions_per_year,
    -- From the highest level a promotion cannot be seen.
    case when spells.first_level in ('end_user', 'manager') then spells.promoted_on is not null end
        as is_promoted_while_champion,
    case when spells.lost_on is not null then successors.replaced_on is not null end
        as is_replaced,
    case when departures.to_account_id is not null then contracts.account_id is not null end
        as is_destination_customer,
    case
        when spells.looked_on >= acts_recorded.from_on then coalesce(told.stories_told, 0) > 0
    end as has_told_story
from spells
cross join acts_recorded
cross join touches_recorded
left join accounts on spells.account_id = accounts.account_id
left join peers on spells.first_level = peers.level
left join successors
    on
        spells.person_id = successors.person_id
        and spells.account_id = successors.account_id
        and spells.known_from_on = successors.known_from_on
        and successors.successor_rank = 1
left join departures
    on
        spells.person_id = departures.person_id
        and spells.account_id = departures.account_id
        and spells.known_from_on = departures.known_from_on
        and departures.departure_rank = 1
left join contracts on departures.to_account_id = contracts.account_id
left join told
    on
        spells.person_id = told.person_id
        and spells.account_id = told.account_id
        and spells.known_from_on = told.known_from_on
left join touched
    on
        spells.person_id = touched.person_id
        and spells.account_id = touched.account_id
        and spells.known_from_on = touched.known_from_on
left join renewed
    on
        spells.person_id = renewed.person_id
        and spells.account_id = renewed.account_id
        and spells.known_from_on = renewed.known_from_on
