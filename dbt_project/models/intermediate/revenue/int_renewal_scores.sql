{# Days before the due date at which a loss could still have been averted: looked at three times. #}
{% set leads = [180, 90, 60] %}
with

terms as (
    select
        contract_term_id,
        account_id,
        due_on,
        outcome in ('open', 'pending') as is_undecided
    from {{ ref('fct_contract_terms') }}
),

account_map as (
    select
        source_account_id,
        account_id
    from {{ ref('int_account_map') }}
),

scores as (
    {{ stored_scores() }}
),

multiples as (
    select
        account_map.account_id,
        account_map.source_account_id,
        multiples.as_of,
        multiples.multiple,
        multiples.is_backfill
    from {{ ref('stg_scores__arr_multiple_history') }} as multiples
    inner join account_map on multiples.account_id = account_map.source_account_id
),

assessments as (
    {{ stored_judgements() }}
),

leads as (
    {%- for lead in leads %}
        select {{ lead }} as lead_days{{ ' union all' if not loop.last }}
    {%- endfor %}
),

looks as (
    select
        terms.contract_term_id,
        terms.account_id,
        leads.lead_days,
        {{ days_after('terms.due_on', '-leads.lead_days') }} as looked_on
    from terms
    cross join leads
    union all
    -- What is not decided yet is also looked at today.
    select
        contract_term_id,
        account_id,
        0 as lead_days,
        {{ as_of_date() }} as looked_on
    from terms
    where is_undecided
),

known_scores as (
    {{ known_scores('looks', ['contract_term_id', 'lead_days'], 'looked_on') }}
),

-- As of scores, for what a renewal was expected to bring.
known_multiples as (
    select
        looks.contract_term_id,
        looks.lead_days,
        multiples.multiple,
        row_number() over (
            partition by looks.contract_term_id, looks.lead_days
            order by
                multiples.is_backfill asc, multiples.as_of desc, multiples.source_account_id asc
        ) as multiple_rank
    from looks
    inner join multiples
        on
            looks.account_id = multiples.account_id
            and looks.looked_on >= multiples.as_of
            and multiples.as_of > {{ days_after('looks.looked_on', '-' ~ stale_days()) }}
    where looks.lead_days in (0, 90)
),

known_assessments as (
    {{ known_judgements('looks', ['contract_term_id', 'lead_days'], 'looked_on') }}
)

select
    looks.contract_term_id,
    {%- for lead in leads %}
        max(case when looks.lead_days = {{ lead }} then looks.looked_on end)
            as looked_on_d{{ lead }},
        max(case when looks.lead_days = {{ lead }} then known_scores.p end)
            as p_lost_at_d{{ lead }},
        max(case when looks.lead_days = {{ lead }} then known_scores.band end)
            as band_at_d{{ lead }},
        max(case when looks.lead_days = {{ lead }} then known_assessments.sign_today_share end)
            as human_sign_today_at_d{{ lead }},
        max(
            case
                when
                    looks.lead_days <> {{ lead }} or known_scores.contract_term_id is null
                    then null
                when known_scores.is_backfill then 'walk_forward'
                else 'live'
            end
        ) as basis_at_d{{ lead }},
    {%- endfor %}
    max(case when looks.lead_days = 0 then known_scores.p end) as p_lost_now,
    max(case when looks.lead_days = 0 then known_scores.band end) as band_now,
    max(case when looks.lead_days = 90 then known_multiples.multiple end) as arr_multiple_at_d90,
    max(case when looks.lead_days = 0 then known_multiples.multiple end) as arr_multiple_now,
    max(case when looks.lead_days = 0 then known_assessments.sign_today_share end)
        as human_sign_today_now
from looks
left join known_scores
    on
        looks.contract_term_id = known_scores.contract_term_id
        and looks.lead_days = known_scores.lead_days
        and known_scores.newest_rank = 1
left join known_assessments
    on
        looks.contract_term_id = known_assessments.contract_term_id
        and looks.lead_days = known_assessments.lead_days
        and known_assessments.newest_rank = 1
left join known_multiples
    on
        looks.contract_term_id = known_multiples.contract_term_id
        and looks.lead_days = known_multiples.lead_days
        and known_multiples.multiple_rank = 1
group by looks.contract_term_id
