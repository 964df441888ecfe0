{#
    Charter: how a price becomes money a month. One rule for every model that needs it.

    Money of a month = unit price x quantity / interval months x (1 - discount), weekly x 52/12, daily x 365/12.
    A twelfth of a price falls on half a cent once in twelve, and the last digit of a double would move it to either
    side: what is within a millionth of a cent of it is rounded as half a cent.
#}

{# Intervals a year: what a price is multiplied by before the division through twelve months. #}
{% macro intervals_per_year(interval) -%}
    case {{ interval }}
        when 'day' then 365
        when 'week' then 52
        when 'month' then 12
        when 'year' then 1
    end
{%- endmacro %}

{#
    Money of a month in major units, rounded half up to the cent.
    amount: decimal money of one interval (price x quantity). kept: the share left after discounts (0-1).
#}
{% macro monthly_amount(amount, interval, interval_count, kept='1') -%}
    cast(
        round(round(
            cast({{ amount }} * 100 as double) * ({{ kept }}) * ({{ intervals_per_year(interval) }})
            / (12.0 * {{ interval_count }}),
            6
        )) / 100
        as decimal(18, 2)
    )
{%- endmacro %}

{# Money in US dollars: exact decimals on both sides, rounded half up to the cent. #}
{% macro in_usd(amount, usd_per_unit) -%}
    cast(
        round(cast({{ amount }} as decimal(18, 2)) * cast({{ usd_per_unit }} as decimal(18, 8)), 2)
        as decimal(18, 2)
    )
{%- endmacro %}

{# A part over its whole (0-1), null where there is no whole. #}
{% macro share_of(part, whole) -%}
    {{ stable('cast(' ~ part ~ ' as double) / nullif(cast(' ~ whole ~ ' as double), 0)') }}
{%- endmacro %}
