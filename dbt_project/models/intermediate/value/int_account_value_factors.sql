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

spans as (
    select
        accounts.account_id,
        accounts.observed_on,
        numbers.n as span_number,
        accounts.discount_factor,
        accounts.is_evergreen,
        case
            when numbers.n = 0 then 0.0 else accounts.first_span_months + 12.0 * (numbers.n - 1)
        end
            as starts_at_month,
        case
            when numbers.n = 0 then accounts.first_span_months
            else least(
                    12.0,
                    accounts.horizon_months - accounts.first_span_months - 12.0 * (numbers.n - 1)
                )
        end as span_months,
        -- Kept at the renewal that ends the span.
        case
            when numbers.n = 0 then 1.0 - accounts.p_lost
            else {{ sbg_renewal_rate(
                'accounts.alpha', 'accounts.beta', '(accounts.cycle_number + numbers.n)'
            ) }}
        end as kept_share
    from accounts
    inner join numbers
        on
            numbers.n < {{ most_spans }}
            and (
                numbers.n = 0
                or accounts.first_span_months + 12.0 * (numbers.n - 1) < accounts.horizon_months
            )
    where accounts.alpha is not null or accounts.p_lost is not null
),

survived as (
    select
        *,
        -- A certain loss has no logarithm; the smallest share stands for none.
        coalesce(
            exp(sum(ln(greatest(kept_share, 1e-12))) over (
                partition by account_id, observed_on
                order by span_number
                rows between unbounded preceding and 1 preceding
            )), 1.0
        ) as survival_at_start,
        case
            when is_evergreen and span_months > 0
                then power(
                        greatest(kept_share, 1e-12),
                        1.0 / case when span_number = 0 then span_months else 12.0 end
                    )
            else 1.0
        end as kept_each_month
    from spans
),

priced as (
    select
        account_id,
        observed_on,
        survival_at_start * power(discount_factor, starts_at_month)
        * ({{ annuity('discount_factor * kept_each_month', 'span_months') }})
            as present_value_factor,
        survival_at_start * ({{ annuity('kept_each_month', 'span_months') }}) as expected_months,
        case
            when starts_at_month <= 12
                then survival_at_start
                    * power(kept_each_month, least(12.0 - starts_at_month, span_months))
        end as survival_12m
    from survived
),

summed as (
    select
        account_id,
        observed_on,
        sum({{ exact('present_value_factor') }}) as present_value_factor,
        sum({{ exact('expected_months') }}) as expected_months,
        -- Survival only falls, so the lowest value reached by month 12 is the one at month 12.
        min(survival_12m) as survival_12m
    from priced
    group by account_id, observed_on
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
