{# Contracts of one account that may be renewed on one day, each by another. #}
{% set rounds = 4 %}
with

contracts as (
    select
        subscription_id,
        account_id,
        replaces_subscription_id,
        started_on
    from {{ ref('int_contracts') }}
),

ended_terms as (
    select
        subscription_id,
        account_id,
        term_number,
        due_on,
        ended_on
    from {{ ref('int_contract_terms') }}
    where ended_on is not null
),

-- Billing says what continues what, where someone wrote it down.
declared as (
    select
        ended_terms.subscription_id,
        ended_terms.term_number,
        contracts.subscription_id as next_subscription_id,
        contracts.started_on as next_started_on,
        0 as evidence_rank
    from ended_terms
    inner join contracts on ended_terms.subscription_id = contracts.replaces_subscription_id
),

-- Where nobody did: the account's next contract, from the end of this one to the end of the grace.
inferred as (
    select
        ended_terms.subscription_id,
        ended_terms.term_number,
        contracts.subscription_id as next_subscription_id,
        contracts.started_on as next_started_on,
        1 as evidence_rank
    from ended_terms
    inner join contracts
        on
            ended_terms.account_id = contracts.account_id
            and ended_terms.subscription_id <> contracts.subscription_id
            and ended_terms.ended_on <= contracts.started_on
            and contracts.started_on
            <= {{ days_after('ended_terms.due_on', var('renewal_grace_days')) }}
            -- Coming back in the middle of a term that was broken off is a return, no early
            -- renewal.
            and (
                ended_terms.due_on <= contracts.started_on
                or contracts.started_on <= {{ days_after('ended_terms.ended_on', 1) }}
            )
    where contracts.replaces_subscription_id is null
),

candidates_1 as (
    select
        subscription_id,
        term_number,
        next_subscription_id,
        next_started_on,
        evidence_rank
    from declared
    union all
    select
        subscription_id,
        term_number,
        next_subscription_id,
        next_started_on,
        evidence_rank
    from inferred
),

-- One contract continues one, and is continued by one: who is first for each other belong together,
-- then the next of those who are left.
{% for round in range(1, rounds + 1) -%}
    ranked_{{ round }} as (
        select
            subscription_id,
            term_number,
            next_subscription_id,
            next_started_on,
            row_number() over (
                partition by subscription_id
                order by evidence_rank, next_started_on, next_subscription_id
            ) as next_rank,
            row_number() over (
                partition by next_subscription_id
                order by evidence_rank, next_started_on, subscription_id
            ) as previous_rank
        from candidates_{{ round }}
    ),

    chosen_{{ round }} as (
        select
            subscription_id,
            term_number,
            next_subscription_id,
            next_started_on
        from ranked_{{ round }}
        where next_rank = 1 and previous_rank = 1
    ),

    {% if not loop.last -%}
        candidates_{{ round + 1 }} as (
            select
                candidates.subscription_id,
                candidates.term_number,
                candidates.next_subscription_id,
                candidates.next_started_on,
                candidates.evidence_rank
            from candidates_{{ round }} as candidates
            left join chosen_{{ round }} as old
                on candidates.subscription_id = old.subscription_id
            left join chosen_{{ round }} as new
                on candidates.next_subscription_id = new.next_subscription_id
            where old.subscription_id is null and new.next_subscription_id is null
        ),

    {% endif %}
{%- endfor -%}
chosen as (
    {%- for round in range(1, rounds + 1) %}
        select
            subscription_id,
            term_number,
            next_subscription_id,
            next_started_on
        from chosen_{{ round }}
        {{ 'union all' if not loop.last }}
    {%- endfor %}
),

states as (
    select
        subscription_id,
        valid_from,
        valid_to,
        quantity,
        mrr_usd
    from {{ ref('int_subscription_item_states') }}
)

select
    chosen.subscription_id,
    chosen.term_number,
    chosen.next_subscription_id,
    chosen.next_started_on,
    cast(12 * coalesce(sum(states.mrr_usd), 0) as decimal(18, 2)) as next_arr_usd,
    sum(states.quantity) as next_seats
from chosen
left join states
    on
        chosen.next_subscription_id = states.subscription_id
        and {{ in_force_at_close(
            'states.valid_from', 'states.valid_to',
            day_start(days_after('chosen.next_started_on', 1))
        ) }}
group by
    chosen.subscription_id, chosen.term_number, chosen.next_subscription_id, chosen.next_started_on
