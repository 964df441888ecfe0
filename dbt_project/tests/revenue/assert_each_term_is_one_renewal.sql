{{ config(meta={'dagster': {'ref': {'name': 'renewals'}}}) }}

-- Every contract term is one row of renewals, and counted once in the calendar.
with

counts as (
    select
        (select count(*) from {{ ref('fct_contract_terms') }}) as terms,
        (select count(*) from {{ ref('renewals') }}) as renewals,
        (
            select coalesce(sum(terms_due + terms_superseded + terms_paused), 0)
            from {{ ref('renewal_calendar') }}
        ) as terms_in_calendar
)

select
    terms,
    renewals,
    terms_in_calendar
from counts
where terms <> renewals or terms <> terms_in_calendar
