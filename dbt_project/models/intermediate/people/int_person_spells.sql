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
        roles,
        coalesce(ended_on, cast('9999-12-31' as date)) as open_until_on
    from {{ ref('int_person_employments') }}
),

-- Duplicate records of one person at one account, or accounts merged, leave spells that overlap:
-- they are one.
reaches as (
    select
        *,
        max(open_until_on) over (
            partition by person_id, account_id
            order by started_on, contact_id
            rows between unbounded preceding and 1 preceding
        ) as reached_on
    from employments
),

numbered as (
    select
        *,
        sum(case when reached_on >= started_on then 0 else 1 end) over (
            partition by person_id, account_id
            order by started_on, contact_id
            rows unbounded preceding
        ) as spell_number
    from reaches
),

ranked as (
    select
        *,
        row_number() over (
            partition by person_id, account_id, spell_number
            order by open_until_on desc, started_on desc, contact_id desc
        ) as newest_rank,
        -- Records that last as long as the spell: a duplicate that names no role takes none away.
        open_until_on = max(open_until_on) over (
            partition by person_id, account_id, spell_number
        ) as is_last
    from numbered
),

joined_spells as (
    select
        person_id,
        account_id,
        spell_number,
        min(started_on) as started_on,
        min(start_visible_on) as start_visible_on,
        max(case when newest_rank = 1 then contact_id end) as contact_id,
        max(case when newest_rank = 1 then level end) as level,
        max(case when newest_rank = 1 then roles end) as roles,
        max(case when is_last and {{ has_role('roles', 'champion') }} then 1 else 0 end)
            as any_champion,
        max(case when is_last and {{ has_role('roles', 'sponsor') }} then 1 else 0 end)
            as any_sponsor,
        max(case when is_last and {{ has_role('roles', 'economic_buyer') }} then 1 else 0 end)
            as any_buyer,
        max(case when newest_rank = 1 then ended_on end) as ended_on,
        max(case when newest_rank = 1 then end_visible_on end) as end_visible_on
    from ranked
    group by person_id, account_id, spell_number
),

-- Who has no role is known only where roles are written down at all.
recorded as (
    select count(roles) > 0 as are_roles_recorded
    from joined_spells
)

select
    joined_spells.person_id,
    joined_spells.account_id,
    joined_spells.contact_id,
    joined_spells.started_on,
    joined_spells.ended_on,
    joined_spells.start_visible_on,
    joined_spells.end_visible_on,
    joined_spells.level,
    joined_spells.roles,
    case when recorded.are_roles_recorded then joined_spells.any_champion = 1 end as is_champion,
    case when recorded.are_roles_recorded then joined_spells.any_sponsor = 1 end as is_sponsor,
    case when recorded.are_roles_recorded then joined_spells.any_buyer = 1 end as is_economic_buyer
from joined_spells
cross join recorded
