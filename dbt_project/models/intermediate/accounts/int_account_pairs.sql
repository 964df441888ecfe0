{#
    Two records are compared only where a block brings them together: without blocks the work would
    grow with the square of the accounts. A value that more records share than block_size is no
    block: it tells nobody apart.
#}
{% set blocks = {
    'domain': 'domain_key',
    'domain name': 'domain_label',
    'name': 'name_key',
    'name begins': "substr(name_key, 1, 7) || '|' || country",
    'billing customer': 'billing_customer_id',
    'workspace': 'workspace_id',
} %}
{% set comparisons = ['domain', 'name', 'country', 'industry', 'size', 'billing', 'workspace'] %}
with

accounts as (
    select
        account_id,
        parent_account_id,
        billing_customer_id,
        workspace_id,
        name_key,
        domain_key,
        domain_label,
        country,
        industry,
        employee_count
    from {{ ref('int_account_match_keys') }}
),

policies as (
    select
        expected_share,
        accepted_bits,
        ambiguous_bits,
        block_size
    from {{ ref('identity_policies') }}
    where entity = 'account'
),

weights as (
    select
        comparison,
        level,
        {{ bits('m / u') }} as weight
    from {{ ref('match_weights') }}
    where entity = 'account'
),

-- How probable a match is before anything is compared: the copies expected, over all pairs.
prior_odds as (
    select {{ bits('max(policies.expected_share) * 2 / greatest(count(*), 2)') }} as prior_bits
    from accounts
    cross join policies
),

block_members as (
    {%- for name, key in blocks.items() %}
        select
            account_id,
            '{{ name }}' as block_name,
            {{ key }} as block_key
        from accounts
        where {{ key }} is not null
        {{ 'union all' if not loop.last }}
    {%- endfor %}
),

blocks as (
    select
        block_name,
        block_key
    from block_members
    group by block_name, block_key
    having count(*) between 2 and (select max(policies.block_size) from policies)
),

candidates as (
    select distinct
        near.account_id,
        far.account_id as other_account_id
    from blocks
    inner join block_members as near
        on blocks.block_name = near.block_name and blocks.block_key = near.block_key
    inner join block_members as far
        on blocks.block_name = far.block_name and blocks.block_key = far.block_key
    where near.account_id < far.account_id
),

crm_merges as (
    select distinct
        least(losing_account_id, surviving_account_id) as account_id,
        greatest(losing_account_id, surviving_account_id) as other_account_id
    from {{ ref('input_account_merges') }}
    where losing_account_id <> surviving_account_id
),

compared as (
    select
        candidates.account_id,
        candidates.other_account_id,
        case
            when near.domain_key = far.domain_key then 'same'
            when near.domain_label = far.domain_label then 'same_label'
            when near.domain_key <> far.domain_key then 'different'
        end as domain_level,
        case
            when near.name_key = far.name_key then 'same'
            when {{ likeness('near.name_key', 'far.name_key') }} >= 0.94 then 'close'
            when {{ likeness('near.name_key', 'far.name_key') }} >= 0.88 then 'similar'
            when near.name_key <> far.name_key then 'different'
        end as name_level,
        case
            when near.country = far.country then 'same'
            when near.country <> far.country then 'different'
        end as country_level,
        case
            when near.industry = far.industry then 'same'
            when near.industry <> far.industry then 'different'
        end as industry_level,
        case
            when
                abs(near.employee_count - far.employee_count)
                <= 0.1 * greatest(near.employee_count, far.employee_count)
                then 'same'
            when near.employee_count <> far.employee_count then 'different'
        end as size_level,
        case
            when near.billing_customer_id = far.billing_customer_id then 'same'
            when near.billing_customer_id <> far.billing_customer_id then 'different'
        end as billing_level,
        case
            when near.workspace_id = far.workspace_id then 'same'
            when near.workspace_id <> far.workspace_id then 'different'
        end as workspace_level,
        coalesce(
            near.parent_account_id = far.account_id
            or far.parent_account_id = near.account_id
            or near.parent_account_id = far.parent_account_id,
            false
        ) as is_one_family,
        crm_merges.account_id is not null as is_merged_by_crm
    from candidates
    inner join accounts as near on candidates.account_id = near.account_id
    inner join accounts as far on candidates.other_account_id = far.account_id
    left join crm_merges
        on
            candidates.account_id = crm_merges.account_id
            and candidates.other_account_id = crm_merges.other_account_id
),

levels as (
    {%- for comparison in comparisons %}
        select
            account_id,
            other_account_id,
            '{{ comparison }}' as comparison,
            {{ comparison }}_level as level
        from compared
        {{ 'union all' if not loop.last }}
    {%- endfor %}
),

weighed as (
    select
        levels.account_id,
        levels.other_account_id,
        {{ exact_sum('weights.weight', 6) }} as evidence_bits
    from levels
    inner join weights
        on levels.comparison = weights.comparison and levels.level = weights.level
    group by levels.account_id, levels.other_account_id
),

scored as (
    select
        compared.*,
        prior_odds.prior_bits + coalesce(weighed.evidence_bits, 0) as match_bits
    from compared
    cross join prior_odds
    left join weighed
        on
            compared.account_id = weighed.account_id
            and compared.other_account_id = weighed.other_account_id
),

-- Never joined by a rule: who is invoiced or works apart, and companies of one family.
judged as (
    select
        scored.*,
        policies.accepted_bits,
        policies.ambiguous_bits,
        coalesce(scored.billing_level = 'different', false)
        or coalesce(scored.workspace_level = 'different', false)
        or scored.is_one_family as is_kept_apart,
        coalesce(scored.name_level = 'same' and scored.domain_level = 'same', false)
            as has_same_keys
    from scored
    cross join policies
),

-- A parent and its subsidiaries share name and domain by nature; the CRM has said what they are.
decided as (
    select
        *,
        case
            when is_merged_by_crm then 'crm merge'
            when has_same_keys then 'same name and domain'
            else 'weight of evidence'
        end as rule,
        case
            when is_merged_by_crm then 'accepted'
            when not is_kept_apart and (has_same_keys or match_bits >= accepted_bits)
                then 'accepted'
            when is_one_family then 'rejected'
            when has_same_keys or match_bits >= ambiguous_bits then 'ambiguous'
            else 'rejected'
        end as decision
    from judged
),

both_ways as (
    select
        account_id,
        other_account_id,
        decision,
        rule,
        is_kept_apart
    from decided
    union all
    select
        other_account_id as account_id,
        account_id as other_account_id,
        decision,
        rule,
        is_kept_apart
    from decided
),

-- A record that looks like two companies kept apart would join them: whose copy it is, a person
-- says.
between_two as (
    select distinct
        near.account_id,
        near.other_account_id
    from both_ways as near
    inner join both_ways as far
        on near.account_id = far.account_id and near.other_account_id <> far.other_account_id
    inner join both_ways as apart
        on
            near.other_account_id = apart.account_id
            and far.other_account_id = apart.other_account_id
    where
        near.decision = 'accepted'
        and near.rule <> 'crm merge'
        and far.decision = 'accepted'
        and apart.is_kept_apart
        and apart.rule <> 'crm merge'
)

select
    decided.account_id,
    decided.other_account_id,
    decided.rule,
    case
        when between_two.account_id is not null or between_two_others.account_id is not null
            then 'ambiguous'
        else decided.decision
    end as decision,
    decided.domain_level,
    decided.name_level,
    decided.country_level,
    decided.industry_level,
    decided.size_level,
    decided.billing_level,
    decided.workspace_level,
    {{ stable('decided.match_bits', 6) }} as match_bits,
    decided.is_one_family
from decided
left join between_two
    on
        decided.account_id = between_two.account_id
        and decided.other_account_id = between_two.other_account_id
left join between_two as between_two_others
    on
        decided.account_id = between_two_others.other_account_id
        and decided.other_account_id = between_two_others.account_id
