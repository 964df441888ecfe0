{#
    The survivor of records joined as duplicates is, in this order: the one that billing names, one
    that was not merged away, one that was not deleted, one with a workspace, the oldest, the
    smallest id. Billing first, so that joining records moves no money.
#}
with

merge_map as (
    select
        source_account_id,
        account_id,
        merged_at,
        is_in_merge_circle
    from {{ ref('int_account_merge_map') }}
),

accounts as (
    select
        account_id,
        workspace_id,
        is_test,
        is_deleted,
        created_at
    from {{ ref('input_accounts') }}
),

billed as (
    select distinct account_id
    from {{ ref('input_customers') }}
    where account_id is not null
),

ranked_accounts as (
    select
        merge_map.source_account_id as account_id,
        row_number() over (
            order by
                case when billed.account_id is not null then 0 else 1 end,
                case when merge_map.source_account_id = merge_map.account_id then 0 else 1 end,
                case when accounts.is_deleted then 1 else 0 end,
                case when accounts.workspace_id is not null then 0 else 1 end,
                accounts.created_at,
                merge_map.source_account_id
        ) as survivor_rank
    from merge_map
    left join accounts on merge_map.source_account_id = accounts.account_id
    left join billed on merge_map.source_account_id = billed.account_id
),

-- What the CRM has merged itself is told by the merge map, with its date.
duplicates as (
    select
        account_id,
        other_account_id
    from {{ ref('int_account_pairs') }}
    where decision = 'accepted' and rule <> 'crm merge'
),

record_links as (
    select
        account_id as member,
        other_account_id as other_member
    from duplicates
    union
    select
        other_account_id as member,
        account_id as other_member
    from duplicates
    union
    select
        source_account_id as member,
        source_account_id as other_member
    from merge_map
),

{{ components('record_groups', 'record_links') }},

records as (
    select
        groups.member as source_account_id,
        first_value(groups.member) over (
            partition by groups.label order by ranked.survivor_rank
        ) as record_id
    from record_groups as groups
    inner join ranked_accounts as ranked on groups.member = ranked.account_id
),

-- A duplicate follows its survivor through the mergers of companies, and a company merged away
-- takes the duplicates of its survivor along: both kinds of links are followed to the end.
merged_records as (
    select
        records.source_account_id,
        near.account_id,
        far.account_id as other_account_id
    from records
    inner join merge_map as near on records.source_account_id = near.source_account_id
    inner join merge_map as far on records.record_id = far.source_account_id
),

company_links as (
    select
        account_id as member,
        other_account_id as other_member
    from merged_records
    union
    select
        other_account_id as member,
        account_id as other_member
    from merged_records
    union
    select
        account_id as member,
        account_id as other_member
    from merge_map
),

{{ components('company_groups', 'company_links') }},

became as (
    select distinct other_account_id as account_id
    from merged_records
),

-- Where records of two companies meet, the company that the survivor of the records became lives
-- on.
companies as (
    select
        groups.member as merged_account_id,
        first_value(groups.member) over (
            partition by groups.label
            order by case when became.account_id is null then 1 else 0 end, ranked.survivor_rank
        ) as account_id
    from company_groups as groups
    inner join ranked_accounts as ranked on groups.member = ranked.account_id
    left join became on groups.member = became.account_id
)

select
    merge_map.source_account_id,
    companies.account_id,
    records.record_id as record_account_id,
    merge_map.merged_at,
    merge_map.source_account_id <> companies.account_id as is_merged,
    merge_map.source_account_id <> records.record_id as is_duplicate,
    merge_map.is_in_merge_circle,
    coalesce(accounts.is_test, false) as is_test
from merge_map
inner join records on merge_map.source_account_id = records.source_account_id
inner join companies on merge_map.account_id = companies.merged_account_id
left join accounts on companies.account_id = accounts.account_id
