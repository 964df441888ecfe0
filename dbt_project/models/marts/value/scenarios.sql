{% set newton_steps = var('newton_steps', 8) | int %}

with

definitions as (
    select
        scenario_id,
        statement,
        convention,
        inputs,
        expected_value,
        tolerance,
        unit
    from {{ ref('scenario_definitions') }}
),

formulas as (
    select
        scenario_id,
        formula
    from {{ ref('scenario_formulas') }}
),

given as (
    select
        definitions.scenario_id,
        formulas.formula,
        {% for name in [
            'growth', 'churn', 'periods_per_year', 'years', 'acv', 'total', 'nrr', 'renewal_rate',
            'share', 'mrr', 'discount', 'default', 'free_months', 'cac_multiple', 'gross_margin',
            'alpha', 'beta', 'renewals',
        ] -%}
            {{ scenario_input(name) }} as input_{{ name }},
        {% endfor -%}
        {{ dbt.split_part(
            dbt.split_part("concat(';', definitions.inputs)", "';survivors='", 2), "';'", 1
        ) }} as input_survivors
    from definitions
    inner join formulas on definitions.scenario_id = formulas.scenario_id
),

numbers as (
    {{ thousand_numbers() }}
),

-- The retention sought lies below the one at which the last payment alone would make the total.
retention_0 as (
    select
        scenario_id,
        input_total / input_acv as multiple,
        input_years as years,
        power(input_total / input_acv, 1.0 / (input_years - 1.0)) as retention
    from given
    where formula = 'net_retention_for_total'
),

{% for step in range(1, newton_steps + 1) %}
    retention_{{ step }} as (
        select
            scenario_id,
            multiple,
            years,
            {{ net_retention_step('retention', 'multiple', 'years') }} as retention
        from retention_{{ step - 1 }}
    ),

{% endfor %}
survivors as (
    select
        given.scenario_id,
        numbers.n as renewal_number,
        cast(
            nullif(
                {{ dbt.split_part(
                    'given.input_survivors', "','", 'cast(numbers.n + 1 as int)'
                ) }}, ''
            )
            as double
        ) as survivors
    from given
    inner join numbers on numbers.n < 40
    where given.formula in ('sbg_alpha', 'sbg_beta')
),

survivor_steps as (
    select
        scenario_id,
        renewal_number,
        survivors,
        lag(survivors) over (partition by scenario_id order by renewal_number) as survivors_before
    from survivors
    where survivors is not null
),

hazards as (
    select
        scenario_id,
        renewal_number,
        survivors_before as at_risk,
        survivors_before - survivors as lost
    from survivor_steps
    where survivors_before is not null
),

{{ sbg_fit_ctes('hazards', ['scenario_id'], 'sbg') }},

lifetimes_given as (
    select
        scenario_id,
        input_alpha as alpha,
        input_beta as beta,
        input_renewals as renewals_made,
        input_discount as discount_rate
    from given
    where formula = 'derl'
),

lifetimes as (
    {{ sbg_derl('lifetimes_given', ['scenario_id'], 'numbers') }}
),

computed as (
    select
        given.scenario_id,
        given.formula,
        case given.formula
            when 'run_rate_lost'
                then {{ run_rate_lost(
                    'given.input_growth', 'given.input_churn',
                    'given.input_periods_per_year', 'given.input_years'
                ) }}
            when 'billings_lost'
                then {{ billings_lost(
                    'given.input_growth', 'given.input_churn',
                    'given.input_periods_per_year', 'given.input_years'
                ) }}
            when 'sales_needed' then given.input_growth + given.input_churn
            when 'sales_needed_on_retained'
                then (1.0 + given.input_growth) / (1.0 - given.input_churn) - 1.0
            when 'net_retention_for_total' then retentions.retention
            when 'payments_total'
                then {{ payments_total('given.input_acv', 'given.input_nrr', 'given.input_years') }}
            when 'reach_year_ten' then power(given.input_renewal_rate, 9)
            when 'renewal_rate_for_year_ten' then power(given.input_share, 1.0 / 9)
            when 'half_life' then ln(0.5) / ln(1.0 - given.input_churn)
            when 'bond_price'
                then {{ bond_price(
                    'given.input_mrr', 'given.input_discount',
                    'given.input_default', 'given.input_years'
                ) }}
            when 'revenue_given_away'
                then {{ revenue_given_away(
                    'given.input_free_months', 'given.input_years', 'given.input_nrr'
                ) }}
            when 'payback'
                then {{ payback_months(
                    'given.input_cac_multiple * 12.0', '1.0', 'given.input_gross_margin'
                ) }}
            when 'sbg_alpha' then sbg_fit.alpha
            when 'sbg_beta' then sbg_fit.beta
            when 'derl' then lifetimes.derl
        end as computed_value
    from given
    left join
        retention_{{ newton_steps }} as retentions
        on given.scenario_id = retentions.scenario_id
    left join sbg_fit on given.scenario_id = sbg_fit.scenario_id
    left join lifetimes on given.scenario_id = lifetimes.scenario_id
)

select
    definitions.scenario_id,
    definitions.statement,
    definitions.convention,
    computed.formula,
    definitions.inputs,
    definitions.unit,
    definitions.expected_value,
    {{ stable('computed.computed_value') }} as computed_value,
    definitions.tolerance,
    {{ stable('computed.computed_value - definitions.expected_value') }} as difference,
    -- A scenario without a formula is not reproduced, and the test on this flag says so.
    coalesce(
        abs(computed.computed_value - definitions.expected_value) <= definitions.tolerance, false
    ) as is_reproduced
from definitions
left join computed on definitions.scenario_id = computed.scenario_id
