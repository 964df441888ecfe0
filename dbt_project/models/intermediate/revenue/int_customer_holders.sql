{# Steps along a chain of mergers that are followed; each is a company bought again. #}
{% set steps = 8 %}
{% set beginning = day_start("'0001-01-01'") %}
with

billing_links as (
    select
        links.billing_customer_id,
        links.account_id,
        customers.account_id as billed_account_id
    from {{ ref('int_billing_customer_map') }} as links
    left join {{ ref('input_customers') }} as customers
        on links.billing_customer_id = customers.billing_customer_id
    where links.account_id is not null
),

account_map as (
    select
        source_account_id,
        record_account_id,
        is_test
    from {{ ref('int_account_map') }}
),

mergers as (
    select
        losing_account_id,
        surviving_account_id,
        merged_at,
        row_number() over (
            partition by losing_account_id
            order by merged_at desc, surviving_account_id asc
        ) as newest_rank
    from {{ ref('input_account_merges') }}
),

crm_links as (
    select
        accounts.billing_customer_id,
        accounts.account_id,
        row_number() over (
            partition by accounts.billing_customer_id
            order by accounts.is_deleted, accounts.created_at, accounts.account_id
        ) as evidence_rank
    from {{ ref('input_accounts') }} as accounts
    where accounts.billing_customer_id is not null
),

-- The company that signed: as billing says, else as the CRM says. It pays until it is bought. A
-- duplicate record is no company of its own.
signers as (
    select
        billing_links.billing_customer_id,
        billing_links.account_id as surviving_account_id,
        coalesce(billed.record_account_id, linked.record_account_id, billing_links.account_id)
            as account_id
    from billing_links
    left join account_map as billed on billing_links.billed_account_id = billed.source_account_id
    left join crm_links
        on
            billing_links.billing_customer_id = crm_links.billing_customer_id
            and crm_links.evidence_rank = 1
    left join account_map as linked on crm_links.account_id = linked.source_account_id
),

held_0 as (
    select
        signers.billing_customer_id,
        signers.account_id,
        signers.surviving_account_id,
        {{ beginning }} as held_from,
        mergers.merged_at as held_to,
        mergers.surviving_account_id as next_account_id
    from signers
    left join mergers on signers.account_id = mergers.losing_account_id and mergers.newest_rank = 1
),

{% for step in range(1, steps + 1) -%}
    held_{{ step }} as (
        select
            held.billing_customer_id,
            held.next_account_id as account_id,
            held.surviving_account_id,
            greatest(held.held_from, held.held_to) as held_from,
            mergers.merged_at as held_to,
            mergers.surviving_account_id as next_account_id
        from held_{{ step - 1 }} as held
        left join mergers
            on held.next_account_id = mergers.losing_account_id and mergers.newest_rank = 1
        where held.next_account_id is not null
    ),

{% endfor -%}
spells as (
    {%- for step in range(steps + 1) %}
        select
            billing_customer_id,
            account_id,
            surviving_account_id,
            held_from,
            held_to
        from held_{{ step }}
        {{ 'union all' if not loop.last }}
    {%- endfor %}
),

lasting as (
    select
        spells.billing_customer_id,
        spells.account_id,
        spells.surviving_account_id,
        spells.held_from,
        spells.held_to
    from spells
    inner join account_map on spells.surviving_account_id = account_map.source_account_id
    -- Bought by a company that had itself been bought before: its own spell is empty.
    where (spells.held_to is null or spells.held_from < spells.held_to) and not account_map.is_test
)

select
    billing_customer_id,
    account_id,
    surviving_account_id,
    held_from as valid_from,
    held_to as valid_to
from lasting
