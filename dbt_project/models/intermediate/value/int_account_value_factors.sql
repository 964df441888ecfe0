{#
    The future of one dollar of MRR. Time is cut into spans: up to the next renewal, then a year
    from renewal to renewal, to the horizon. Within a span survival is flat for a contract, which
    cannot be left, and falls evenly for an evergreen subscription, which can be left each month;
    so a span is one geometric sum and 120 months cost eleven rows at most.
#}
{% set most_spans = 31 %}

with

assumptions as (
    select
        segment,
        valid_from,
        discount_rate,
        horizon_years
    from {{ ref('value_assumptions') }}
),

ranked_assumptions as (
    select
        survival.account_id,
        survival.observed_on,
        survival.month_end_on,
        survival.cycle_number,
        survival.alpha,
        survival.beta,
        survival.is_evergreen,
        coalesce(
            survival.scored_p_lost,
            1.0 - {{ sbg_renewal_rate('survival.alpha', 'survival.beta', 'survival.cycle_number') }}
        ) as p_lost,
        case
            when survival.scored_p_lost is not null then 'score'
            when survival.alpha is not null then survival.tail_basis || ' rate'
        end as next_renewal_basis,
        -- Coupons are paid at the start of a month: one more is safe in a month begun.
        least(ceil(survival.months_to_renewal), 12.0 * assumptions.horizon_years)
            as first_span_months,
        {{ monthly_discount_factor('assumptions.discount_rate') }} as discount_factor,
        12.0 * assumptions.horizon_years as horizon_months,
        row_number() over (
            partition by survival.account_id, survival.observed_on
            order by assumptions.valid_from desc
        ) as newest_rank
    from {{ ref('int_account_survival') }} as survival
    inner join assumptions
        on
            survival.segment = assumptions.segment
            and survival.observed_on >= assumptions.valid_from
),

accounts as (
    select
        account_id,
        observed_on,
        month_end_on,
        cycle_number,
        alpha,
        beta,
        is_evergreen,
        p_lost,
        next_renewal_basis,
        first_span_months,
        discount_factor,
        horizon_months
    from ranked_assumptions
    where newest_rank = 1
),

numbers as (
    {{ thousand_numbers() }}
),

-- What follows the next renewal is the same for all of the same fit, cycle and dates.
futures as (
    select distinct
        alpha,
        beta,
        cycle_number,
        is_evergreen,
        first_span_months,
        discount_factor,
        horizon_months
    from accounts
    where alpha is not null
),

fits as (
    select distinct
        alpha,
        beta,
        cycle_number
    from futures
),

renewals as (
    select
        fits.alpha,
        fits.beta,
        fits.cycle_number,
        numbers.n as span_number,
        {{ sbg_renewal_rate('fits.alpha', 'fits.beta', '(fits.cycle_number + numbers.n)') }}
            as kept_share
    from fits
    inner join numbers on numbers.n > 0 and numbers.n < {{ most_spans }}
),

-- Of those kept at the next renewal, the share that a later span begins with. A certain loss has
-- no logarithm; the smallest share stands for none.
chains as (
    select
        alpha,
        beta,
        cycle_number,
        span_number,
        kept_share,
        coalesce(
            exp(sum(ln(greatest(kept_share, 1e-12))) over (
                partition by alpha, beta, cycle_number
                order by span_number
                rows between unbounded preceding and 1 preceding
            )), 1.0
        ) as survival_at_start
    from renewals
),

later_spans as (
    select
        futures.alpha,
        futures.beta,
        futures.cycle_number,
        futures.is_evergreen,
        futures.first_span_months,
        futures.discount_factor,
        futures.horizon_months,
        chains.survival_at_start,
        futures.first_span_months + 12.0 * (chains.span_number - 1) as starts_at_month,
        least(
            12.0,
            futures.horizon_months - futures.first_span_months - 12.0 * (chains.span_number - 1)
        ) as span_months,
        case
            when futures.is_evergreen then power(greatest(chains.kept_share, 1e-12), 1.0 / 12.0)
            else 1.0
        end as kept_each_month
    from futures
    inner join chains
        on
            futures.alpha = chains.alpha
            and futures.beta = chains.beta
            and futures.cycle_number = chains.cycle_number
    where
        futures.first_span_months + 12.0 * (chains.span_number - 1) < futures.horizon_months
),

later_priced as (
    select
        alpha,
        beta,
        cycle_number,
        is_evergreen,
        first_span_months,
        discount_factor,
        horizon_months,
        survival_at_start * power(discount_factor, starts_at_month)
        * ({{ annuity('discount_factor * kept_each_month', 'span_months') }})
            as present_value_factor,
        survival_at_start * ({{ annuity('kept_each_month', 'span_months') }}) as expected_months,
        case
            when starts_at_month <= 12
                then survival_at_start
                    * power(kept_each_month, least(12.0 - starts_at_month, span_months))
        end as survival_12m
    from later_spans
),

later as (
    select
        alpha,
        beta,
        cycle_number,
        is_evergreen,
        first_span_months,
        discount_factor,
        horizon_months,
        {{ exact_sum('present_value_factor') }} as present_value_factor,
        {{ exact_sum('expected_months') }} as expected_months,
        -- Survival only falls, so the lowest value reached by month 12 is the one at month 12.
        min(survival_12m) as survival_12m
    from later_priced
    group by
        alpha,
        beta,
        cycle_number,
        is_evergreen,
        first_span_months,
        discount_factor,
        horizon_months
),

first_spans as (
    select
        *,
        greatest(1.0 - p_lost, 1e-12) as kept_share,
        case
            when is_evergreen and first_span_months > 0
                then power(greatest(1.0 - p_lost, 1e-12), 1.0 / first_span_months)
            else 1.0
        end as kept_each_month
    from accounts
),

summed as (
    select
        first_spans.account_id,
        first_spans.observed_on,
        {{ annuity(
            'first_spans.discount_factor * first_spans.kept_each_month',
            'first_spans.first_span_months'
        ) }} + coalesce(first_spans.kept_share * later.present_value_factor, 0.0)
            as present_value_factor,
        {{ annuity('first_spans.kept_each_month', 'first_spans.first_span_months') }}
        + coalesce(first_spans.kept_share * later.expected_months, 0.0) as expected_months,
        least(
            power(first_spans.kept_each_month, least(12.0, first_spans.first_span_months)),
            coalesce(first_spans.kept_share * later.survival_12m, 1.0)
        ) as survival_12m
    from first_spans
    left join later
        on
            first_spans.alpha = later.alpha
            and first_spans.beta = later.beta
            and first_spans.cycle_number = later.cycle_number
            and first_spans.is_evergreen = later.is_evergreen
            and first_spans.first_span_months = later.first_span_months
            and first_spans.discount_factor = later.discount_factor
            and first_spans.horizon_months = later.horizon_months
)

select
    accounts.account_id,
    accounts.observed_on,
    accounts.month_end_on,
    accounts.next_renewal_basis,
    {{ stable('accounts.p_lost') }} as p_lost_next_renewal,
    case when accounts.alpha is not null then {{ stable('summed.present_value_factor') }} end
        as present_value_factor,
    case when accounts.alpha is not null then {{ stable('summed.expected_months') }} end
        as expected_months,
    case when accounts.alpha is not null then {{ stable('1.0 - summed.survival_12m') }} end
        as default_hazard_12m,
    accounts.horizon_months,
    accounts.discount_factor
from accounts
left join summed
    on
        accounts.account_id = summed.account_id
        and accounts.observed_on = summed.observed_on
