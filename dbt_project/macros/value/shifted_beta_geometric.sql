{#
    Charter: the shifted-beta-geometric model of renewals (Fader & Hardie, "How to project customer retention",
    2007; "Customer-base valuation in a contractual setting", 2010). Each customer has its own constant chance of
    leaving at a renewal; the chances differ between customers as a beta distribution (alpha, beta), so those who
    stay are the loyal ones and the rate of renewal rises with each renewal made.

    Written as hazards, the likelihood needs no gamma function: at the i-th renewal a customer leaves with
    alpha / (alpha + beta + i - 1), so customers followed for different lengths of time join the same sums.
#}

{# Chance to renew at the i-th renewal (i = 1 is the first). #}
{% macro sbg_renewal_rate(alpha, beta, renewal_number) -%}
    ({{ beta }} + {{ renewal_number }} - 1.0) / ({{ alpha }} + {{ beta }} + {{ renewal_number }} - 1.0)
{%- endmacro %}

{#
    Maximum likelihood by Newton's method, as a chain of CTEs that each read the one before once.

    hazards: CTE with the key columns, renewal_number, at_risk and lost (counts or shares).
    keys: list of key columns; one fit for each.
    name: prefix of the CTEs; the last one, `<name>_fit`, has keys, alpha, beta and gradient (largest slope left).

    Steps are taken in logarithms, which keeps both parameters above zero; where the surface is not concave its
    curvature is turned over, so that the step climbs; no step is longer than one unit. Both logarithms stay within +-9: a
    base without differences between its customers has its maximum at infinity, and at the bound the curve is
    the constant rate it should be.
#}
{% macro sbg_fit_ctes(hazards, keys, name, steps=14) -%}
{% set key_list = keys | join(', ') %}
{{ name }}_0 as (
    select
        {{ key_list }},
        cast(0.0 as double) as ln_alpha,
        cast(1.0 as double) as ln_beta,
        cast(0.0 as double) as gradient
    from {{ hazards }}
    group by {{ key_list }}
),
{% for step in range(1, steps + 1) %}
{{ name }}_sums_{{ step }} as (
    select
        {% for key in keys %}hazards.{{ key }},
        {% endfor -%}
        params.ln_alpha,
        params.ln_beta,
        sum(hazards.lost) - exp(params.ln_alpha) * sum(
            hazards.at_risk / (exp(params.ln_alpha) + exp(params.ln_beta) + hazards.renewal_number - 1)
        ) as slope_alpha,
        exp(params.ln_beta) * sum(
            (hazards.at_risk - hazards.lost) / (exp(params.ln_beta) + hazards.renewal_number - 1)
            - hazards.at_risk / (exp(params.ln_alpha) + exp(params.ln_beta) + hazards.renewal_number - 1)
        ) as slope_beta,
        -1.0 * sum(hazards.lost) as curve_alpha_lost,
        -1.0 * sum(
            (hazards.at_risk - hazards.lost)
            * power(exp(params.ln_beta) / (exp(params.ln_beta) + hazards.renewal_number - 1), 2)
        ) as curve_beta_kept,
        sum(
            hazards.at_risk
            / power(exp(params.ln_alpha) + exp(params.ln_beta) + hazards.renewal_number - 1, 2)
        ) as curve_risk
    from {{ name }}_{{ step - 1 }} as params
    inner join {{ hazards }} as hazards
        on {% for key in keys -%}
            params.{{ key }} = hazards.{{ key }}{{ ' and ' if not loop.last }}
        {%- endfor %}
    group by {% for key in keys %}hazards.{{ key }}, {% endfor -%} params.ln_alpha, params.ln_beta
),

{{ name }}_curves_{{ step }} as (
    select
        {{ key_list }},
        ln_alpha,
        ln_beta,
        slope_alpha,
        slope_beta,
        curve_alpha_lost + power(exp(ln_alpha), 2) * curve_risk + slope_alpha as curve_alpha,
        curve_beta_kept + power(exp(ln_beta), 2) * curve_risk + slope_beta as curve_beta,
        exp(ln_alpha + ln_beta) * curve_risk as curve_both
    from {{ name }}_sums_{{ step }}
),

{{ name }}_lifted_{{ step }} as (
    select
        *,
        greatest(
            0.0,
            curve_alpha + curve_beta
            + 2 * sqrt(power((curve_alpha - curve_beta) / 2, 2) + power(curve_both, 2))
            + 1e-9 * (abs(curve_alpha) + abs(curve_beta) + 1e-9)
        ) as lift
    from {{ name }}_curves_{{ step }}
),

{{ name }}_moves_{{ step }} as (
    select
        *,
        (slope_beta * curve_both - slope_alpha * (curve_beta - lift))
        / ((curve_alpha - lift) * (curve_beta - lift) - power(curve_both, 2)) as move_alpha,
        (slope_alpha * curve_both - slope_beta * (curve_alpha - lift))
        / ((curve_alpha - lift) * (curve_beta - lift) - power(curve_both, 2)) as move_beta
    from {{ name }}_lifted_{{ step }}
),

{{ name }}_{{ step }} as (
    select
        {{ key_list }},
        least(9.0, greatest(-9.0, ln_alpha + move_alpha / greatest(1.0, abs(move_alpha), abs(move_beta))))
            as ln_alpha,
        least(9.0, greatest(-9.0, ln_beta + move_beta / greatest(1.0, abs(move_alpha), abs(move_beta))))
            as ln_beta,
        greatest(abs(slope_alpha), abs(slope_beta)) as gradient
    from {{ name }}_moves_{{ step }}
),
{% endfor %}
{{ name }}_fit as (
    select
        {{ key_list }},
        exp(ln_alpha) as alpha,
        exp(ln_beta) as beta,
        gradient
    from {{ name }}_{{ steps }}
)
{%- endmacro %}

{#
    Discounted expected residual lifetime just before the next renewal, after `renewals_made`, in coupons of a year
    of which the first is due at that renewal (Fader & Hardie 2010, equation for contracts paid at the start):
    DERL = (b + n - 1) / (a + b + n - 1) x 2F1(1, b + n; a + b + n; 1 / (1 + d)), n = renewals made + 1.

    Gauss's series is summed term by term: with a first argument of one, each term is the one before times
    (b + n + k - 1) / (a + b + n + k - 1) / (1 + d). 600 terms leave less than 1e-24 at d = 10 %.

    terms: CTE with k = 0 .. ; params: CTE with keys, alpha, beta, renewals_made, discount_rate.
#}
{% macro sbg_derl(params, keys, numbers, terms=600) -%}
    select
        {{ keys | join(', ') }},
        max(first_rate) * sum(exp(ln_term)) as derl
    from (
        select
            {% for key in keys %}params.{{ key }},
            {% endfor -%}
            {{ sbg_renewal_rate('params.alpha', 'params.beta', '(params.renewals_made + 1.0)') }} as first_rate,
            sum(
                case
                    when numbers.n = 0 then 0.0
                    else ln(
                        {{ sbg_renewal_rate(
                            'params.alpha', 'params.beta', '(params.renewals_made + 1.0 + numbers.n)'
                        ) }} / (1.0 + params.discount_rate)
                    )
                end
            ) over (
                partition by {% for key in keys %}params.{{ key }}{{ ', ' if not loop.last }}{% endfor %}
                order by numbers.n
                rows unbounded preceding
            ) as ln_term
        from {{ params }} as params
        inner join {{ numbers }} as numbers on numbers.n < {{ terms }}
    ) as terms
    group by {{ keys | join(', ') }}
{%- endmacro %}
