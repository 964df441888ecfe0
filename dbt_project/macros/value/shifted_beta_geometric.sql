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
    name: prefix of the CTEs; the last one, `<name>_fit`, has keys, alpha, beta and gradient (largest slope left
    in a direction that is free).

    The search runs over the mean chance to leave, alpha / (alpha + beta), as a logit, and over the likeness of the
    customers, alpha + beta, as a logarithm. Customers who are all alike have their maximum at infinite likeness:
    the logarithm stops at 8, where the curve is a constant rate, and the mean goes on to its own maximum there.
    Where the surface is not concave its curvature is turned over, so that the step climbs; no step is longer than
    one unit. With r = at_risk, l = lost, k = r - l, T = alpha + beta, m the logit and s the logarithm:
        slope m   = w (L / alpha - K1)                 w = alpha beta / T, L = sum l, K1 = sum k / (beta + i - 1)
        slope s   = L + beta K1 - T R1                 R1 = sum r / (T + i - 1)
        curve mm  = -w^2 (L / alpha^2 + K2) + w (1 - 2 alpha / T) (L / alpha - K1)
        curve ms  = w (beta K2 - K1)                   K2 = sum k / (beta + i - 1)^2
        curve ss  = slope s - L - beta^2 K2 + T^2 R2   R2 = sum r / (T + i - 1)^2
#}
{% macro sbg_fit_ctes(hazards, keys, name) -%}
{% set steps = var('newton_steps', 14) | int %}
{% set key_list = keys | join(', ') %}
{% set highest_logit = 9.0 %}
{% set highest_likeness = 8.0 %}
{% set lowest_likeness = -6.0 %}
{{ name }}_0 as (
    select
        {{ key_list }},
        cast(-1.0 as double) as leaving_logit,
        cast(1.3 as double) as likeness,
        cast(0.0 as double) as gradient
    from {{ hazards }}
    group by {{ key_list }}
),
{% for step in range(1, steps + 1) %}
{{ name }}_params_{{ step }} as (
    select
        {{ key_list }},
        leaving_logit,
        likeness,
        exp(likeness) / (1.0 + exp(-1.0 * leaving_logit)) as alpha,
        exp(likeness) / (1.0 + exp(leaving_logit)) as beta
    from {{ name }}_{{ step - 1 }}
),

{{ name }}_sums_{{ step }} as (
    select
        {% for key in keys %}hazards.{{ key }},
        {% endfor -%}
        params.leaving_logit,
        params.likeness,
        params.alpha,
        params.beta,
        {{ exact_sum('hazards.lost') }} as lost,
        {{ exact_sum('(hazards.at_risk - hazards.lost) / (params.beta + hazards.renewal_number - 1)') }} as kept_1,
        {{ exact_sum('(hazards.at_risk - hazards.lost) / power(params.beta + hazards.renewal_number - 1, 2)') }} as kept_2,
        {{ exact_sum('hazards.at_risk / (params.alpha + params.beta + hazards.renewal_number - 1)') }} as risk_1,
        {{ exact_sum('hazards.at_risk / power(params.alpha + params.beta + hazards.renewal_number - 1, 2)') }} as risk_2
    from {{ name }}_params_{{ step }} as params
    inner join {{ hazards }} as hazards
        on {% for key in keys -%}
            params.{{ key }} = hazards.{{ key }}{{ ' and ' if not loop.last }}
        {%- endfor %}
    group by
        {% for key in keys %}hazards.{{ key }}, {% endfor -%}
        params.leaving_logit, params.likeness, params.alpha, params.beta
),

{{ name }}_slopes_{{ step }} as (
    select
        {{ key_list }},
        leaving_logit,
        likeness,
        alpha * beta / (alpha + beta) * (lost / alpha - kept_1) as slope_logit,
        lost + beta * kept_1 - (alpha + beta) * risk_1 as slope_likeness,
        alpha * beta / (alpha + beta) * (
            (beta - alpha) / (alpha + beta) * (lost / alpha - kept_1)
            - alpha * beta / (alpha + beta) * (lost / power(alpha, 2) + kept_2)
        ) as curve_logit,
        alpha * beta / (alpha + beta) * (beta * kept_2 - kept_1) as curve_both,
        beta * kept_1 - (alpha + beta) * risk_1 - power(beta, 2) * kept_2 + power(alpha + beta, 2) * risk_2
            as curve_likeness
    from {{ name }}_sums_{{ step }}
),

{{ name }}_bounds_{{ step }} as (
    select
        *,
        case
            when leaving_logit >= {{ highest_logit }} and slope_logit > 0 then 0.0
            when leaving_logit <= -{{ highest_logit }} and slope_logit < 0 then 0.0
            else 1.0
        end as free_logit,
        case
            when likeness >= {{ highest_likeness }} and slope_likeness > 0 then 0.0
            when likeness <= {{ lowest_likeness }} and slope_likeness < 0 then 0.0
            else 1.0
        end as free_likeness,
        greatest(
            0.0,
            curve_logit + curve_likeness
            + 2 * sqrt(power((curve_logit - curve_likeness) / 2, 2) + power(curve_both, 2))
            + 1e-9 * (abs(curve_logit) + abs(curve_likeness) + 1e-9)
        ) as lift
    from {{ name }}_slopes_{{ step }}
),

{{ name }}_moves_{{ step }} as (
    select
        *,
        case
            when free_logit = 1.0 and free_likeness = 1.0
                then (slope_likeness * curve_both - slope_logit * (curve_likeness - lift))
                    / ((curve_logit - lift) * (curve_likeness - lift) - power(curve_both, 2))
            else free_logit * slope_logit / (abs(curve_logit) + 1e-12)
        end as move_logit,
        case
            when free_logit = 1.0 and free_likeness = 1.0
                then (slope_logit * curve_both - slope_likeness * (curve_logit - lift))
                    / ((curve_logit - lift) * (curve_likeness - lift) - power(curve_both, 2))
            else free_likeness * slope_likeness / (abs(curve_likeness) + 1e-12)
        end as move_likeness
    from {{ name }}_bounds_{{ step }}
),

{{ name }}_{{ step }} as (
    select
        {{ key_list }},
        least({{ highest_logit }}, greatest(
            -{{ highest_logit }},
            leaving_logit + move_logit / greatest(1.0, abs(move_logit), abs(move_likeness))
        )) as leaving_logit,
        least({{ highest_likeness }}, greatest(
            {{ lowest_likeness }},
            likeness + move_likeness / greatest(1.0, abs(move_logit), abs(move_likeness))
        )) as likeness,
        greatest(free_logit * abs(slope_logit), free_likeness * abs(slope_likeness)) as gradient
    from {{ name }}_moves_{{ step }}
),
{% endfor %}
{{ name }}_fit as (
    select
        {{ key_list }},
        exp(likeness) / (1.0 + exp(-1.0 * leaving_logit)) as alpha,
        exp(likeness) / (1.0 + exp(leaving_logit)) as beta,
        likeness,
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
        max(first_rate) * {{ exact_sum('exp(ln_term)') }} as derl
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
