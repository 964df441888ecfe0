{#
    Charter: present values and compounding, each convention written once and named. Pure arithmetic on doubles:
    no table, no rate, no horizon of its own. Rates are shares (0.30 is thirty per cent).
#}

{# Sum of factor^t for t = 0 .. periods - 1: a stream paid at the start of each period. #}
{% macro annuity(factor, periods) -%}
    case
        when abs(({{ factor }}) - 1.0) < 1e-12 then cast({{ periods }} as double)
        else (1.0 - power({{ factor }}, {{ periods }})) / (1.0 - ({{ factor }}))
    end
{%- endmacro %}

{# What a month's delay costs at a yearly effective rate: the factor by which a coupon a month later is worth less. #}
{% macro monthly_discount_factor(yearly_rate) -%}
    power(1.0 + {{ yearly_rate }}, -1.0 / 12)
{%- endmacro %}

{# Price of a coupon a month, paid at the start of each month and lost for good at default, which strikes evenly over
   the year: a bond with default risk. #}
{% macro bond_price(mrr, discount_rate, default_rate, years) -%}
    ({{ mrr }}) * {{ annuity(
        'power((1.0 - ' ~ default_rate ~ ') / (1.0 + ' ~ discount_rate ~ '), 1.0 / 12)',
        '12.0 * ' ~ years
    ) }}
{%- endmacro %}

{# Growth and churn as simple rates, added and then compounded each period: factor of one period. #}
{% macro growth_factor(growth, churn, periods_per_year) -%}
    (1.0 + ({{ growth }} - {{ churn }}) / {{ periods_per_year }})
{%- endmacro %}

{# Share by which churn lowers the run-rate at the end of the last year, against no churn. #}
{% macro run_rate_lost(growth, churn, periods_per_year, years) -%}
    1.0 - power(
        {{ growth_factor(growth, churn, periods_per_year) }} / {{ growth_factor(growth, '0.0', periods_per_year) }},
        {{ periods_per_year }} * {{ years }}
    )
{%- endmacro %}

{# Share by which churn lowers all billings of the years, each period billed at its closing run-rate. #}
{% macro billings_lost(growth, churn, periods_per_year, years) -%}
    1.0 - (
        {{ growth_factor(growth, churn, periods_per_year) }}
        * ({{ annuity(growth_factor(growth, churn, periods_per_year), periods_per_year ~ ' * ' ~ years) }})
    ) / (
        {{ growth_factor(growth, '0.0', periods_per_year) }}
        * ({{ annuity(growth_factor(growth, '0.0', periods_per_year), periods_per_year ~ ' * ' ~ years) }})
    )
{%- endmacro %}

{# Yearly payments with the first one unchanged and each later one grown by the net revenue retention. #}
{% macro payments_total(first_payment, net_retention, years) -%}
    ({{ first_payment }}) * ({{ annuity(net_retention, years) }})
{%- endmacro %}

{# One Newton step towards the retention at which the payments sum to `multiple` times the first one. The sum is
   convex and rising, so steps from above never overshoot. #}
{% macro net_retention_step(retention, multiple, years) -%}
    {{ retention }} - ({{ annuity(retention, years) }} - {{ multiple }})
    * power({{ retention }} - 1.0, 2)
    / nullif(
        {{ years }} * power({{ retention }}, {{ years }} - 1.0) * ({{ retention }} - 1.0)
        - (power({{ retention }}, {{ years }}) - 1.0),
        0.0
    )
{%- endmacro %}

{# Share of undiscounted revenue over the years that free months at the start give away. #}
{% macro revenue_given_away(free_months, years, net_retention) -%}
    (
        12.0 * ({{ annuity(net_retention, 'floor(' ~ free_months ~ ' / 12.0)') }})
        + ({{ free_months }} - 12.0 * floor({{ free_months }} / 12.0))
        * power({{ net_retention }}, floor({{ free_months }} / 12.0))
    ) / (12.0 * ({{ annuity(net_retention, years) }}))
{%- endmacro %}

{# Months until gross profit has earned back the cost of acquisition, at an even monthly rate. #}
{% macro payback_months(cac, mrr, gross_margin) -%}
    ({{ cac }}) / nullif(({{ mrr }}) * {{ gross_margin }}, 0.0)
{%- endmacro %}
