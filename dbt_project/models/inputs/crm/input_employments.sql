with versions as (
    {{ of_either_crm('contact_versions', 'contact_versions', [
        'contact_id', 'created_at', 'account_id', 'left_on', 'version_at', 'is_known_version',
    ]) }}
),

-- Salesforce writes a change of a lookup twice, by name and by id; only ids name an account.
changes_of_either_crm as (
    select
        contact_id,
        change_id,
        case
            when field in ('Account', 'AccountId') then 'account'
            when field = 'Left_On__c' then 'left_on'
            else 'roles'
        end as field,
        old_value,
        new_value,
        created_at
    from {{ ref('stg_salesforce__contact_history') }}
    where
        field in ('Left_On__c', 'Roles__c')
        or (field in ('Account', 'AccountId') and new_value like '001%')
    union all
    select
        record_id as contact_id,
        change_id,
        case property when 'associatedcompanyid' then 'account' else property end as field,
        old_value,
        new_value,
        created_at
    from {{ ref('stg_hubspot__property_change') }}
    where
        object_type = 'contact'
        and (
            property in ('left_on', 'roles')
            or (property = 'associatedcompanyid' and new_value is not null)
        )
),

moves as (
    select
        contact_id,
        created_at as moved_at,
        old_value as account_before,
        new_value as account_after,
        row_number() over (partition by contact_id order by created_at, change_id) as move_number
    from changes_of_either_crm
    where field = 'account'
),

first_versions as (
    select
        contact_id,
        created_at,
        account_id,
        row_number() over (partition by contact_id order by version_at) as version_number
    from versions
),

-- Where a contact was at which instant: at creation, at each tracked move, in each landed version.
-- Before the first move ever it was with that move's old account.
sightings as (
    select
        first_versions.contact_id,
        coalesce(moves.account_before, first_versions.account_id) as account_id,
        first_versions.created_at as seen_at
    from first_versions
    left join moves on first_versions.contact_id = moves.contact_id and moves.move_number = 1
    where first_versions.version_number = 1
    union all
    select
        contact_id,
        account_after as account_id,
        moved_at as seen_at
    from moves
    where moved_at < {{ as_of_end() }}
    union all
    select
        contact_id,
        account_id,
        version_at as seen_at
    from versions
    where is_known_version
),

changes as (
    select
        contact_id,
        account_id,
        seen_at,
        lag(account_id) over (partition by contact_id order by seen_at) as previous_account_id
    from sightings
    where account_id is not null
),

spells as (
    select
        contact_id,
        account_id,
        seen_at as started_at,
        lead(seen_at) over (partition by contact_id order by seen_at) as next_started_at,
        row_number() over (partition by contact_id order by seen_at) as spell_number
    from changes
    where previous_account_id is null or previous_account_id <> account_id
),

tracked_days as (
    select
        contact_id,
        cast(nullif(new_value, '') as date) as left_on,
        created_at as said_at
    from changes_of_either_crm
    where field = 'left_on' and created_at < {{ as_of_end() }}
),

-- A record that follows its person to the next employer forgets the day of leaving the last one;
-- the history does not.
sayings as (
    select
        contact_id,
        left_on,
        version_at as said_at
    from versions
    union all
    select
        contact_id,
        {{ come_by('left_on') }} as left_on,
        said_at
    from tracked_days
),

-- The day of leaving that the CRM said last within the spell.
spell_sayings as (
    select
        spells.contact_id,
        spells.spell_number,
        sayings.left_on,
        row_number() over (
            partition by spells.contact_id, spells.spell_number
            order by
                case
                    when
                        sayings.said_at >= spells.started_at
                        and (
                            sayings.said_at < spells.next_started_at
                            or spells.next_started_at is null
                        )
                        then 0
                    else 1
                end,
                sayings.said_at desc,
                sayings.left_on desc
        ) as recency
    from spells
    inner join sayings on spells.contact_id = sayings.contact_id
),

departures as (
    select
        contact_id,
        left_on,
        min(said_at) as known_at
    from sayings
    where left_on is not null
    group by contact_id, left_on
),

tracked_departures as (
    select
        contact_id,
        left_on,
        min(said_at) as known_at
    from tracked_days
    where left_on is not null
    group by contact_id, left_on
),

-- Whoever took the roles away on the day of leaving or later knew of it, whatever newer stamp a
-- later edit gave to the record.
role_removals as (
    select
        departures.contact_id,
        departures.left_on,
        min(changes.created_at) as known_at
    from departures
    inner join changes_of_either_crm as changes
        on
            departures.contact_id = changes.contact_id
            and departures.left_on <= {{ utc_date('changes.created_at') }}
            and departures.known_at >= changes.created_at
    where
        changes.field = 'roles'
        and changes.new_value is null
        and changes.created_at < {{ as_of_end() }}
    group by departures.contact_id, departures.left_on
),

ended as (
    select
        spells.contact_id,
        spells.spell_number,
        spells.account_id,
        {{ utc_date('spells.started_at') }} as started_on,
        spells.started_at,
        case
            when
                spell_sayings.left_on >= {{ utc_date('spells.started_at') }}
                and (
                    spells.next_started_at is null
                    or spell_sayings.left_on < {{ utc_date('spells.next_started_at') }}
                )
                then spell_sayings.left_on
            when spells.next_started_at is not null
                then {{ utc_date('spells.next_started_at') }}
        end as ended_on,
        spell_sayings.left_on,
        spells.next_started_at
    from spells
    inner join spell_sayings
        on
            spells.contact_id = spell_sayings.contact_id
            and spells.spell_number = spell_sayings.spell_number
            and spell_sayings.recency = 1
),

known_ends as (
    select
        ended.contact_id,
        ended.spell_number,
        ended.account_id,
        ended.started_on,
        ended.started_at,
        ended.ended_on,
        case
            when ended.ended_on is null then null
            when ended.ended_on = ended.left_on
                then
                    greatest(
                        coalesce(
                            tracked_departures.known_at,
                            role_removals.known_at,
                            departures.known_at
                        ),
                        {{ day_start('ended.left_on') }}
                    )
            else ended.next_started_at
        end as end_known_at
    from ended
    left join departures
        on ended.contact_id = departures.contact_id and ended.left_on = departures.left_on
    left join role_removals
        on ended.contact_id = role_removals.contact_id and ended.left_on = role_removals.left_on
    left join tracked_departures
        on
            ended.contact_id = tracked_departures.contact_id
            and ended.left_on = tracked_departures.left_on
),

-- The update that tells of an end takes the roles away with it: an ended spell keeps what was said
-- before that update.
spell_states as (
    select
        known_ends.contact_id,
        known_ends.spell_number,
        states.title,
        states.level,
        row_number() over (
            partition by known_ends.contact_id, known_ends.spell_number
            order by states.valid_from desc
        ) as recency
    from known_ends
    inner join {{ ref('input_contact_states') }} as states
        on
            known_ends.contact_id = states.contact_id
            and (known_ends.end_known_at is null or known_ends.end_known_at > states.valid_from)
),

spell_roles as (
    select
        known_ends.contact_id,
        known_ends.spell_number,
        states.roles,
        row_number() over (
            partition by known_ends.contact_id, known_ends.spell_number
            order by states.valid_from desc
        ) as recency
    from known_ends
    inner join {{ ref('input_contact_states') }} as states
        on
            known_ends.contact_id = states.contact_id
            and (
                known_ends.end_known_at is null
                or (
                    states.roles is not null
                    and known_ends.end_known_at > states.valid_from
                    and (states.valid_to is null or known_ends.started_at < states.valid_to)
                )
            )
)

select
    known_ends.contact_id || '-' || cast(known_ends.spell_number as varchar) as employment_id,
    known_ends.contact_id,
    known_ends.account_id,
    spell_states.title,
    spell_states.level,
    spell_roles.roles,
    known_ends.started_on,
    known_ends.ended_on,
    known_ends.started_at as known_at,
    known_ends.end_known_at
from known_ends
left join spell_states
    on
        known_ends.contact_id = spell_states.contact_id
        and known_ends.spell_number = spell_states.spell_number
        and spell_states.recency = 1
left join spell_roles
    on
        known_ends.contact_id = spell_roles.contact_id
        and known_ends.spell_number = spell_roles.spell_number
        and spell_roles.recency = 1
