with

employments as (
    select
        person_id,
        account_id,
        contact_id,
        started_on,
        ended_on,
        start_visible_on,
        end_visible_on,
        level,
        roles
    from {{ ref('int_person_employments') }}
),

contact_states as (
    select
        contact_id,
        level,
        roles,
        {{ utc_date('valid_from') }} as valid_from_on,
        coalesce({{ utc_date('valid_to') }}, cast('9999-12-31' as date)) as valid_to_on
    from {{ ref('input_contact_states') }}
),

-- What could be said of one employment, day by day: while no end is known the level and roles of
-- the time, afterwards what the person was last.
open_states as (
    select
        employments.person_id,
        employments.account_id,
        employments.contact_id,
        employments.started_on,
        cast(null as date) as ended_on,
        greatest(
            employments.start_visible_on,
            coalesce(states.valid_from_on, employments.start_visible_on)
        ) as visible_from_on,
        least(
            coalesce(employments.end_visible_on, cast('9999-12-31' as date)),
            coalesce(states.valid_to_on, cast('9999-12-31' as date))
        ) as visible_to_on,
        case when states.contact_id is null then employments.level else states.level end as level,
        case when states.contact_id is null then employments.roles else states.roles end as roles
    from employments
    left join contact_states as states on employments.contact_id = states.contact_id
),

employment_states as (
    select
        person_id,
        account_id,
        contact_id,
        started_on,
        ended_on,
        visible_from_on,
        visible_to_on,
        level,
        roles
    from open_states
    where visible_from_on < visible_to_on
    union all
    select
        person_id,
        account_id,
        contact_id,
        started_on,
        ended_on,
        end_visible_on as visible_from_on,
        cast('9999-12-31' as date) as visible_to_on,
        level,
        roles
    from employments
    where end_visible_on is not null
),

change_days as (
    select distinct
        person_id,
        account_id,
        visible_from_on
    from employment_states
),

seen as (
    select
        states.person_id,
        states.account_id,
        days.visible_from_on as seen_on,
        states.contact_id,
        states.started_on,
        states.ended_on,
        coalesce(states.ended_on, cast('9999-12-31' as date)) as open_until_on,
        states.level,
        states.roles
    from change_days as days
    inner join employment_states as states
        on
            days.person_id = states.person_id
            and days.account_id = states.account_id
            and days.visible_from_on >= states.visible_from_on
            and days.visible_from_on < states.visible_to_on
),

-- Duplicate records of one person at one account, or accounts merged, leave employments that
-- overlap: as far as seen on the day they are one spell.
reaches as (
    select
        *,
        max(open_until_on) over (
            partition by person_id, account_id, seen_on
            order by started_on, contact_id
            rows between unbounded preceding and 1 preceding
        ) as reached_on
    from seen
),

numbered as (
    select
        *,
        sum(case when reached_on >= started_on then 0 else 1 end) over (
            partition by person_id, account_id, seen_on
            order by started_on, contact_id
            rows unbounded preceding
        ) as spell_number
    from reaches
),

ranked as (
    select
        *,
        min(started_on) over (
            partition by person_id, account_id, seen_on, spell_number
        ) as spell_started_on,
        row_number() over (
            partition by person_id, account_id, seen_on, spell_number
            order by open_until_on desc, started_on desc, contact_id desc
        ) as newest_rank,
        -- Of the records that last as long as the spell any may name a role: a duplicate that
        -- names none takes none away.
        max(case when {{ has_role('roles', 'champion') }} then open_until_on end) over (
            partition by person_id, account_id, seen_on, spell_number
        ) as champion_until_on,
        max(case when {{ has_role('roles', 'sponsor') }} then open_until_on end) over (
            partition by person_id, account_id, seen_on, spell_number
        ) as sponsor_until_on,
        max(case when {{ has_role('roles', 'economic_buyer') }} then open_until_on end) over (
            partition by person_id, account_id, seen_on, spell_number
        ) as economic_buyer_until_on
    from numbered
),

-- A person who left and came back is in place: the spell that lasts stands first.
spells as (
    select
        person_id,
        account_id,
        seen_on,
        contact_id,
        spell_started_on as started_on,
        ended_on,
        level,
        roles,
        coalesce(champion_until_on = open_until_on, false) as is_champion,
        coalesce(sponsor_until_on = open_until_on, false) as is_sponsor,
        coalesce(economic_buyer_until_on = open_until_on, false) as is_economic_buyer,
        row_number() over (
            partition by person_id, account_id, seen_on
            order by case when ended_on is null then 0 else 1 end, spell_started_on desc
        ) as spell_rank
    from ranked
    where newest_rank = 1
),

days as (
    select
        person_id,
        account_id,
        seen_on,
        max(case when spell_rank = 1 then contact_id end) as contact_id,
        max(case when spell_rank = 1 then started_on end) as started_on,
        max(case when spell_rank = 1 then ended_on end) as ended_on,
        max(case when is_champion then ended_on end) as champion_left_on,
        max(case when is_sponsor then ended_on end) as sponsor_left_on,
        max(case when spell_rank = 1 then level end) as level,
        max(case when spell_rank = 1 then roles end) as roles,
        max(case when is_champion then 1 else 0 end) as any_champion,
        max(case when is_sponsor then 1 else 0 end) as any_sponsor,
        max(case when is_champion and ended_on is null then 1 else 0 end) as open_champion,
        max(case when is_sponsor and ended_on is null then 1 else 0 end) as open_sponsor,
        max(case when is_economic_buyer and ended_on is null then 1 else 0 end) as open_buyer
    from spells
    group by person_id, account_id, seen_on
),

-- Who has no role is known only where roles are written down at all.
recorded as (
    select count(roles) > 0 as are_roles_recorded
    from days
)

select
    days.person_id,
    days.account_id,
    days.contact_id,
    days.seen_on as visible_from_on,
    lead(days.seen_on) over persons_days as visible_to_on,
    days.started_on,
    days.ended_on,
    days.champion_left_on,
    days.sponsor_left_on,
    days.level,
    days.roles,
    days.ended_on is not null as is_gone,
    case when recorded.are_roles_recorded then days.open_champion = 1 end as is_champion,
    case when recorded.are_roles_recorded then days.open_sponsor = 1 end as is_sponsor,
    case when recorded.are_roles_recorded then days.open_buyer = 1 end as is_economic_buyer,
    max(days.any_champion) over (
        partition by days.person_id, days.account_id
        order by days.seen_on
        rows unbounded preceding
    ) = 1 as has_been_champion,
    max(days.any_sponsor) over (
        partition by days.person_id, days.account_id
        order by days.seen_on
        rows unbounded preceding
    ) = 1 as has_been_sponsor
from days
cross join recorded
window persons_days as (partition by days.person_id, days.account_id order by days.seen_on)
