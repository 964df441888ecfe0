{#
    Charter: the one rule that names a movement of recurring revenue between two instants (ChartMogul's movement
    definitions, in the order of precedence of the metric definitions). Models ask it for month-ends; asked for
    days, it answers the daily series.

    Columns it reads, money of one account in one unit:
      opening             paid before, including what was taken over by a merger in between
      closing             paid after
      closing_waiting     paused after and still waited for (a pause that lapsed is no pause)
      has_paid_before     true when whoever holds the contracts ever paid before the opening
      was_gone            true when, since the last payment, there was a month-end with nothing paid or waited for
      gap_days            days without a paid subscription before it came back; null when not away
    It names what happens to the account as a whole, or `change` when both ends are paid (or waited for) and pauses,
    expansion and contraction must be told apart by amount.
#}
{% macro movement_of_account(opening, closing, closing_waiting, has_paid_before, was_gone, gap_days) -%}
    case
        -- Nothing paid at either end. New and gone again between two month-ends is in the daily series only.
        when {{ opening }} = 0 and {{ closing }} = 0
            then 'none'
        -- First paying ever: trial, free ramp and a pause before any payment count as nothing paid.
        when {{ opening }} = 0 and not {{ has_paid_before }}
            then 'new'
        -- No paying subscription left, and none paused that may come back.
        when {{ closing }} = 0 and {{ closing_waiting }} = 0
            then 'churn'
        -- Churned before, paying again; a customer who was only paused does not come here.
        when {{ opening }} = 0 and {{ was_gone }}
        {%- if policy_is('reactivation', 'within_90_days') %}
            and {{ gap_days }} <= {{ var('reactivation_within_days') }}
        {%- endif %}
            then 'reactivation'
        {%- if policy_is('reactivation', 'within_90_days') %}
        -- Away for longer: won anew.
        when {{ opening }} = 0 and {{ was_gone }}
            then 'new'
        {%- endif %}
        -- Paid or waited for at both ends: pauses by their own amounts, the rest expansion or contraction.
        else 'change'
    end
{%- endmacro %}

{# Names of all movements, in the order of the identity. #}
{% macro movement_types() -%}
    {{ return([
        'new', 'reactivation', 'expansion', 'contraction', 'churn', 'pause_out', 'pause_in',
        'merge_transfer'
    ]) }}
{%- endmacro %}
