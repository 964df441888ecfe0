with

accounts as (
    select
        account_id,
        is_test,
        created_at
    from {{ ref('input_accounts') }}
),

account_map as (
    select
        source_account_id,
        account_id,
        record_account_id,
        is_duplicate
    from {{ ref('int_account_map') }}
),

account_pairs as (
    select
        pairs.account_id,
        pairs.other_account_id,
        pairs.decision,
        pairs.rule
        || ', odds 2^' || cast(round(pairs.match_bits, 1) as {{ dbt.type_string() }})
        || ', name ' || coalesce(pairs.name_level, 'unknown')
        || ', domain ' || coalesce(pairs.domain_level, 'unknown')
        || ', billing ' || coalesce(pairs.billing_level, 'unknown') as evidence,
        greatest(near.created_at, far.created_at) as known_at
    from {{ ref('int_account_pairs') }} as pairs
    inner join accounts as near on pairs.account_id = near.account_id
    inner join accounts as far on pairs.other_account_id = far.account_id
),

contacts as (
    select
        contact_id,
        created_at
    from {{ ref('input_contacts') }}
),

contact_pairs as (
    select
        pairs.contact_id,
        pairs.other_contact_id,
        pairs.decision,
        pairs.rule
        || ', odds 2^' || cast(round(pairs.match_bits, 1) as {{ dbt.type_string() }})
        || ', given name ' || coalesce(pairs.given_name_level, 'unknown')
        || ', family name ' || coalesce(pairs.family_name_level, 'unknown')
        || ', employer ' || coalesce(pairs.employer_level, 'unknown') as evidence,
        greatest(near.created_at, far.created_at) as known_at
    from {{ ref('int_contact_pairs') }} as pairs
    inner join contacts as near on pairs.contact_id = near.contact_id
    inner join contacts as far on pairs.other_contact_id = far.contact_id
),

duplicate_accounts as (
    select
        'duplicate_account' as gap_type,
        'accounts' as object,
        account_map.source_account_id as record_id,
        account_map.account_id as other_id,
        'second record of a company; its facts count for the other one' as detail,
        coalesce(pairs.evidence, 'through a third record') as evidence,
        accounts.created_at as known_at
    from account_map
    inner join accounts on account_map.source_account_id = accounts.account_id
    left join account_pairs as pairs
        on
            least(account_map.source_account_id, account_map.record_account_id) = pairs.account_id
            and greatest(account_map.source_account_id, account_map.record_account_id)
            = pairs.other_account_id
            and pairs.decision = 'accepted'
    where account_map.is_duplicate
),

duplicate_contacts as (
    select
        'duplicate_contact' as gap_type,
        'contacts' as object,
        duplicates.contact_id as record_id,
        duplicates.other_contact_id as other_id,
        case
            when duplicates.is_merged_by_crm then 'second record of a person, merged by the CRM'
            else 'second record of a person; its facts count for the same person'
        end as detail,
        coalesce(pairs.evidence, 'through a third record') as evidence,
        duplicates.created_at as known_at
    from {{ ref('int_contact_duplicates') }} as duplicates
    left join contact_pairs as pairs
        on
            least(duplicates.contact_id, duplicates.other_contact_id) = pairs.contact_id
            and greatest(duplicates.contact_id, duplicates.other_contact_id)
            = pairs.other_contact_id
),

ambiguous_pairs as (
    select
        'ambiguous_pair' as gap_type,
        'accounts' as object,
        account_id as record_id,
        other_account_id as other_id,
        'perhaps one company: merge them in the CRM, or leave them' as detail,
        evidence,
        known_at
    from account_pairs
    where decision = 'ambiguous'
    union all
    select
        'ambiguous_pair' as gap_type,
        'contacts' as object,
        contact_id as record_id,
        other_contact_id as other_id,
        'perhaps one person: merge them in the CRM or name the former record' as detail,
        evidence,
        known_at
    from contact_pairs
    where decision = 'ambiguous'
),

test_accounts as (
    select
        'test_account' as gap_type,
        'accounts' as object,
        account_id as record_id,
        cast(null as {{ dbt.type_string() }}) as other_id,
        'our own test account; its facts enter no mart' as detail,
        'marked as test in the CRM' as evidence,
        created_at as known_at
    from accounts
    where is_test
),

wrong_keys as (
    select
        'wrong_foreign_key' as gap_type,
        object,
        record_id,
        other_id,
        detail,
        'no such record' as evidence,
        known_at
    from {{ ref('int_key_gaps') }}
),

orphan_workspaces as (
    select
        'orphan_workspace' as gap_type,
        'workspaces' as object,
        workspace_id as record_id,
        account_id as other_id,
        case
            when claimed_by = 'nobody' then 'used, and no account claims it'
            else 'claimed by ' || claimed_by || ', never seen in usage'
        end as detail,
        case
            when claimed_by = 'nobody' then 'neither CRM nor billing names it'
            when has_used_workspace
                then 'the account uses the workspace that the other system names'
            else 'CRM and billing name two workspaces, neither is used'
        end as evidence,
        known_at
    from {{ ref('int_workspace_gaps') }}
),

amounts as (
    select
        'crm_amount_differs' as gap_type,
        'opportunities' as object,
        billed.opportunity_id as record_id,
        deals.billing_subscription_id as other_id,
        'money follows billing' as detail,
        'CRM ' || cast(billed.crm_amount as {{ dbt.type_string() }})
        || ', billing ' || cast(billed.billed_amount as {{ dbt.type_string() }})
        || ' ' || billed.currency as evidence,
        {{ day_start('deals.closed_on') }} as known_at
    from {{ ref('int_opportunity_billed_values') }} as billed
    inner join {{ ref('input_opportunities') }} as deals
        on billed.opportunity_id = deals.opportunity_id
    where billed.is_different
),

invoices as (
    select
        'duplicate_invoice' as gap_type,
        'invoices' as object,
        invoice_id as record_id,
        first_invoice_id as other_id,
        'sent again for the same period; now ' || status as detail,
        'same customer, period and total of '
        || cast(total as {{ dbt.type_string() }}) || ' ' || currency as evidence,
        known_at
    from {{ ref('int_duplicate_invoices') }}
),

gaps as (
    {%- for part in [
        'duplicate_accounts', 'duplicate_contacts', 'ambiguous_pairs', 'test_accounts',
        'wrong_keys', 'orphan_workspaces', 'amounts', 'invoices',
    ] %}
        select
            gap_type,
            object,
            record_id,
            other_id,
            detail,
            evidence,
            known_at
        from {{ part }}
        {{ 'union all' if not loop.last }}
    {%- endfor %}
)

select
    gap_type
    || '-' || object
    || '-' || record_id
    || '-' || coalesce(other_id, '')
    || case when gap_type = 'wrong_foreign_key' then '-' || detail else '' end as gap_id,
    gap_type,
    object,
    record_id,
    other_id,
    known_at,
    detail,
    evidence
from gaps
