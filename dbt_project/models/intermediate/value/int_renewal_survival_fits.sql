{#
    One fit for each month-end and segment, of what was known by then. Renewals beyond the
    fifteenth say no more about the curve than the fifteenth and are counted with it.
#}
{% set last_renewal = 15 %}

with

decided as (
    select
        coalesce(accounts.segment, '(unknown)') as segment,
        least(terms.cycle_number, {{ last_renewal }}) as renewal_number,
        {{ month_end('terms.outcome_known_on') }} as known_month_end_on,
        case when terms.outcome = 'lost' then 1 else 0 end as lost
    from {{ ref('fct_contract_terms') }} as terms
    inner join {{ ref('dim_accounts') }} as accounts on terms.account_id = accounts.account_id
    where
        terms.is_final
        -- A paused contract was neither kept nor given up.
        and terms.outcome <> 'paused'
        and terms.outcome_known_on is not null
        and not accounts.is_test
),

pooled as (
    select
        segment,
        renewal_number,
        known_month_end_on,
        lost
    from decided
    union all
    select
        '(all)' as segment,
        renewal_number,
        known_month_end_on,
        lost
    from decided
),

by_month as (
    select
        segment,
        renewal_number,
        known_month_end_on,
        count(*) as at_risk,
        sum(lost) as lost
    from pooled
    group by segment, renewal_number, known_month_end_on
),

cells as (
    select distinct
        segment,
        renewal_number
    from by_month
),

-- The running month is fitted with what is known at the as-of date.
months as (
    select distinct month_end_on
    from {{ ref('int_account_observations') }}
),

hazards as (
    select
        months.month_end_on,
        cells.segment,
        cells.renewal_number,
        cast(sum(by_month.at_risk) as double) as at_risk,
        cast(sum(by_month.lost) as double) as lost
    from months
    cross join cells
    inner join by_month
        on
            cells.segment = by_month.segment
            and cells.renewal_number = by_month.renewal_number
            and months.month_end_on >= by_month.known_month_end_on
    group by months.month_end_on, cells.segment, cells.renewal_number
),

totals as (
    select
        month_end_on,
        segment,
        cast(sum(at_risk) as bigint) as renewals_decided,
        cast(sum(lost) as bigint) as renewals_lost
    from hazards
    group by month_end_on, segment
),

{{ sbg_fit_ctes('hazards', ['month_end_on', 'segment'], 'sbg') }}

select
    sbg_fit.month_end_on,
    sbg_fit.segment,
    totals.renewals_decided,
    totals.renewals_lost,
    {{ stable('sbg_fit.alpha', 6) }} as alpha,
    {{ stable('sbg_fit.beta', 6) }} as beta,
    sbg_fit.gradient < 0.000001 * totals.renewals_decided as is_converged,
    sbg_fit.likeness >= 8 as is_homogeneous
from sbg_fit
inner join totals
    on sbg_fit.month_end_on = totals.month_end_on and sbg_fit.segment = totals.segment
