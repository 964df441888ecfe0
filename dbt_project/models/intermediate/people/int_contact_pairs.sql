{# Notice periods: so long somebody may be filed at two employers. #}
{% set notice_days = 60 %}
with

contacts as (
    select
        contact_id,
        account_id,
        former_contact_id,
        merged_into_contact_id,
        given_name,
        family_name,
        email_key,
        mailbox_key,
        email_domain,
        level,
        created_at
    from {{ ref('int_contact_match_keys') }}
),

policies as (
    select
        expected_share,
        accepted_bits,
        ambiguous_bits,
        block_size
    from {{ ref('identity_policies') }}
    where entity = 'contact'
),

weights as (
    select
        comparison,
        level,
        m,
        u
    from {{ ref('match_weights') }}
    where entity = 'contact'
),

counts as (
    select
        count(*) as contact_count,
        {{ bits('max(policies.expected_share) * 2 / greatest(count(*), 2)') }} as prior_bits
    from contacts
    cross join policies
),

family_counts as (
    select
        family_name,
        count(*) as name_count
    from contacts
    group by family_name
),

given_counts as (
    select
        given_name,
        count(*) as name_count
    from contacts
    group by given_name
),

-- The names a given name may be short for, and itself.
full_names as (
    select
        contacts.contact_id,
        contacts.given_name as full_name
    from contacts
    where contacts.given_name is not null
    union
    select
        contacts.contact_id,
        nicknames.given_name as full_name
    from contacts
    inner join {{ ref('nicknames') }} as nicknames on contacts.given_name = nicknames.nickname
),

block_members as (
    select
        contact_id,
        'mail' as block_name,
        email_key as block_key
    from contacts
    where email_key is not null
    union all
    select
        contact_id,
        'family name and initial' as block_name,
        family_name || '|' || substr(given_name, 1, 1) as block_key
    from contacts
    where family_name is not null and given_name is not null
    union all
    select
        contacts.contact_id,
        'name' as block_name,
        contacts.family_name || '|' || full_names.full_name as block_key
    from contacts
    inner join full_names on contacts.contact_id = full_names.contact_id
    where contacts.family_name is not null
    union all
    select
        contact_id,
        'mailbox' as block_name,
        mailbox_key as block_key
    from contacts
    where length(mailbox_key) >= 6
),

blocks as (
    select
        block_name,
        block_key
    from block_members
    group by block_name, block_key
    having count(*) between 2 and (select max(policies.block_size) from policies)
),

-- Somebody has said so: the CRM merged the records, or one names the other as the record before it.
told as (
    select
        contacts.contact_id,
        others.contact_id as other_contact_id,
        'crm merge' as told_rule
    from contacts
    inner join contacts as others on contacts.merged_into_contact_id = others.contact_id
    union
    select
        contacts.contact_id,
        others.contact_id as other_contact_id,
        'former record' as told_rule
    from contacts
    inner join contacts as others on contacts.former_contact_id = others.contact_id
),

told_pairs as (
    select
        least(contact_id, other_contact_id) as contact_id,
        greatest(contact_id, other_contact_id) as other_contact_id,
        min(told_rule) as told_rule
    from told
    where contact_id <> other_contact_id
    group by least(contact_id, other_contact_id), greatest(contact_id, other_contact_id)
),

candidates as (
    select distinct
        near.contact_id,
        far.contact_id as other_contact_id
    from blocks
    inner join block_members as near
        on blocks.block_name = near.block_name and blocks.block_key = near.block_key
    inner join block_members as far
        on blocks.block_name = far.block_name and blocks.block_key = far.block_key
    where near.contact_id < far.contact_id
    union
    select
        contact_id,
        other_contact_id
    from told_pairs
),

same_names as (
    select distinct
        candidates.contact_id,
        candidates.other_contact_id
    from candidates
    inner join full_names as near on candidates.contact_id = near.contact_id
    inner join full_names as far
        on candidates.other_contact_id = far.contact_id and near.full_name = far.full_name
),

spells as (
    select
        employments.contact_id,
        accounts.account_id,
        employments.started_on,
        employments.ended_on
    from {{ ref('input_employments') }} as employments
    inner join {{ ref('int_account_map') }} as accounts
        on employments.account_id = accounts.source_account_id
),

account_counts as (
    select
        account_id,
        count(distinct contact_id) as people
    from spells
    group by account_id
),

-- How two spells lie to each other, seen from the one that began first.
spell_pairs as (
    select
        candidates.contact_id,
        candidates.other_contact_id,
        case when near.account_id = far.account_id then near.account_id end as common_account_id,
        case
            when near.started_on <= far.started_on then near.ended_on else far.ended_on
        end as first_ended_on,
        greatest(near.started_on, far.started_on) as second_started_on
    from candidates
    inner join spells as near on candidates.contact_id = near.contact_id
    inner join spells as far on candidates.other_contact_id = far.contact_id
),

spell_levels as (
    select
        contact_id,
        other_contact_id,
        common_account_id,
        case
            when common_account_id is not null then 'same'
            when first_ended_on is null then 'unknown'
            when second_started_on < {{ days_after('first_ended_on', -notice_days) }}
                then 'together'
            when second_started_on <= {{ days_after('first_ended_on', 200) }} then 'successive'
            when second_started_on <= {{ days_after('first_ended_on', 550) }} then 'later'
        end as level
    from spell_pairs
),

-- What speaks for one person counts: people move on, and only one of their moves is the common one.
employers as (
    select
        contact_id,
        other_contact_id,
        level,
        people
    from (
        select
            spell_levels.contact_id,
            spell_levels.other_contact_id,
            spell_levels.level,
            account_counts.people,
            row_number() over (
                partition by spell_levels.contact_id, spell_levels.other_contact_id
                order by
                    case spell_levels.level
                        when 'same' then 1
                        when 'successive' then 2
                        when 'later' then 3
                        when 'unknown' then 4
                        else 5
                    end,
                    account_counts.people
            ) as level_number
        from spell_levels
        left join account_counts on spell_levels.common_account_id = account_counts.account_id
        where spell_levels.level is not null
    ) as ranked
    where level_number = 1
),

level_ranks as (
    select
        'end_user' as level,
        1 as level_rank
    union all
    select
        'manager' as level,
        2 as level_rank
    union all
    select
        'director_plus' as level,
        3 as level_rank
),

compared as (
    select
        candidates.contact_id,
        candidates.other_contact_id,
        told_pairs.told_rule,
        near.email_key = far.email_key as has_same_mail,
        case
            when same_names.contact_id is not null then 'same'
            when
                near.mailbox_key = far.mailbox_key
                and length(near.mailbox_key) >= length(near.family_name) + 3
                then 'same'
            when
                length(near.given_name) >= 3
                and length(far.given_name) >= 3
                and (
                    near.given_name like far.given_name || '%'
                    or far.given_name like near.given_name || '%'
                )
                then 'short'
            when
                (length(near.given_name) = 1 or length(far.given_name) = 1)
                and substr(near.given_name, 1, 1) = substr(far.given_name, 1, 1)
                then 'initial'
            when near.given_name <> far.given_name then 'different'
        end as given_name_level,
        case
            when near.family_name = far.family_name then 'same'
            when {{ likeness('near.family_name', 'far.family_name') }} >= 0.94 then 'close'
            when near.family_name <> far.family_name then 'different'
        end as family_name_level,
        employers.level as employer_level,
        case
            when
                near.email_domain = far.email_domain
                and near.email_key <> far.email_key
                and employers.level = 'same'
                then 'apart'
        end as mailbox_level,
        case
            when near_ranks.level_rank is null or far_ranks.level_rank is null then null
            when
                case
                    when near.created_at <= far.created_at
                        then far_ranks.level_rank - near_ranks.level_rank
                    else near_ranks.level_rank - far_ranks.level_rank
                end in (0, 1)
                then 'fitting'
            else 'odd'
        end as level_level,
        greatest(family_counts.name_count, 2) * 1.0 / counts.contact_count as family_share,
        greatest(least(near_given.name_count, far_given.name_count), 2) * 1.0 / counts.contact_count
            as given_share,
        greatest(employers.people, 2) * 1.0 / counts.contact_count as employer_share,
        counts.prior_bits
    from candidates
    cross join counts
    inner join contacts as near on candidates.contact_id = near.contact_id
    inner join contacts as far on candidates.other_contact_id = far.contact_id
    left join told_pairs
        on
            candidates.contact_id = told_pairs.contact_id
            and candidates.other_contact_id = told_pairs.other_contact_id
    left join same_names
        on
            candidates.contact_id = same_names.contact_id
            and candidates.other_contact_id = same_names.other_contact_id
    left join employers
        on
            candidates.contact_id = employers.contact_id
            and candidates.other_contact_id = employers.other_contact_id
    left join level_ranks as near_ranks on near.level = near_ranks.level
    left join level_ranks as far_ranks on far.level = far_ranks.level
    left join family_counts on near.family_name = family_counts.family_name
    left join given_counts as near_given on near.given_name = near_given.given_name
    left join given_counts as far_given on far.given_name = far_given.given_name
),

levels as (
    {%- set shares = {
        'given_name': 'given_share', 'family_name': 'family_share', 'employer': 'employer_share',
        'mailbox': 'cast(null as double)', 'level': 'cast(null as double)',
    } %}
    {%- for comparison, share in shares.items() %}
        select
            contact_id,
            other_contact_id,
            '{{ comparison }}' as comparison,
            {{ comparison }}_level as level,
            {{ share }} as share
        from compared
        {{ 'union all' if not loop.last }}
    {%- endfor %}
),

-- Where the seed leaves u open it is how common the value is (Winkler 1989: frequency-based).
weighed as (
    select
        levels.contact_id,
        levels.other_contact_id,
        {{ exact_sum(bits('weights.m / coalesce(weights.u, least(levels.share, 1))'), 6) }}
            as evidence_bits
    from levels
    inner join weights
        on levels.comparison = weights.comparison and levels.level = weights.level
    where weights.u is not null or levels.share is not null
    group by levels.contact_id, levels.other_contact_id
),

scored as (
    select
        compared.contact_id,
        compared.other_contact_id,
        compared.told_rule,
        compared.given_name_level,
        compared.family_name_level,
        compared.employer_level,
        compared.mailbox_level,
        compared.level_level,
        coalesce(compared.has_same_mail, false) as has_same_mail,
        -- An address handed on to a successor: both names are others.
        coalesce(
            compared.given_name_level = 'different' and compared.family_name_level = 'different',
            false
        ) as has_other_name,
        compared.prior_bits + coalesce(weighed.evidence_bits, 0) as match_bits
    from compared
    left join weighed
        on
            compared.contact_id = weighed.contact_id
            and compared.other_contact_id = weighed.other_contact_id
)

select
    scored.contact_id,
    scored.other_contact_id,
    case
        when scored.told_rule is not null then scored.told_rule
        when scored.has_same_mail then 'same mail address'
        else 'weight of evidence'
    end as rule,
    case
        when scored.told_rule is not null then 'accepted'
        when scored.has_same_mail and not scored.has_other_name then 'accepted'
        when scored.has_same_mail then 'ambiguous'
        when scored.match_bits >= policies.accepted_bits then 'accepted'
        when scored.match_bits >= policies.ambiguous_bits then 'ambiguous'
        else 'rejected'
    end as decision,
    scored.given_name_level,
    scored.family_name_level,
    scored.employer_level,
    scored.mailbox_level,
    scored.level_level,
    {{ stable('scored.match_bits', 6) }} as match_bits
from scored
cross join policies
