{# Minor to major units of a currency (https://docs.stripe.com/currencies): most have two decimals,
   some none, a few three. The case of the code does not matter. #}

{# One minor unit in major units, a decimal: products of decimals stay exact, quotients do not. #}
{% macro minor_unit(currency) -%}
    case
        when upper({{ currency }}) in (
            'BIF', 'CLP', 'DJF', 'GNF', 'JPY', 'KMF', 'KRW', 'MGA',
            'PYG', 'RWF', 'VND', 'VUV', 'XAF', 'XOF', 'XPF'
        ) then cast(1 as decimal(4, 3))
        when upper({{ currency }}) in ('BHD', 'JOD', 'KWD', 'OMR', 'TND') then cast(0.001 as decimal(4, 3))
        else cast(0.01 as decimal(4, 3))
    end
{%- endmacro %}

{# An amount of money in major units. #}
{% macro major_units(amount, currency) -%}
    cast(cast({{ amount }} as decimal(18, 0)) * {{ minor_unit(currency) }} as decimal(18, 2))
{%- endmacro %}

{# A unit price in major units, with the fractions of minor units that prices may have. #}
{% macro major_unit_price(amount, currency) -%}
    cast(cast({{ amount }} as decimal(26, 12)) * {{ minor_unit(currency) }} as decimal(28, 12))
{%- endmacro %}
