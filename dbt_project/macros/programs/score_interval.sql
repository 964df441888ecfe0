{# Charter: intervals of shares and of their differences; 95 %, two-sided. #}

{#
    One end of Wilson's score interval of a share ("Probable inference, the law of succession, and statistical
    inference", 1927): holds at small counts and at shares near 0 and 1. `side` is + or -.
#}
{% macro wilson_end(share, trials, side) -%}
    {%- set z, z2 = 1.959963985, 3.841458822 -%}
    (
        {{ share }} + {{ z2 }} / (2 * {{ trials }})
        {{ side }} {{ z }} * sqrt(
            {{ share }} * (1 - {{ share }}) / {{ trials }} + {{ z2 }} / (4 * {{ trials }} * {{ trials }})
        )
    ) / (1 + {{ z2 }} / {{ trials }})
{%- endmacro %}
