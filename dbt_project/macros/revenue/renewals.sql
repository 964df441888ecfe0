{#
    Charter: the one rule that names how a contract term ended. Every argument is a column of the term.

      due_on            day on which the term runs out
      ended_on          day on which service ended, when that was on or before the due date
      reshaped_on       day on which the same contract went on in another form inside the term
      next_started_on   start of the contract that continues this one
      final_on          due date and grace
      due_arr, renewed_arr   money a year before and after
#}
{% macro renewal_outcome(
    due_on, ended_on, reshaped_on, next_started_on, final_on, due_arr, renewed_arr, is_paused_at_due
) -%}
    case
        -- Replaced before it ran out, by another contract or another form of this one.
        when {{ reshaped_on }} is not null or {{ next_started_on }} < {{ due_on }}
            then 'superseded'
        -- The customer signed again, after the due date and inside the grace.
        when {{ next_started_on }} > {{ due_on }}
            then 'renewed_late'
        -- Service ended and nothing continued it. Broken off inside the term: lost at once. At the due date: lost
        -- for good once the grace has passed.
        when {{ ended_on }} < {{ due_on }} and {{ next_started_on }} is null
            then 'lost'
        when {{ ended_on }} is not null and {{ next_started_on }} is null
            then case when {{ final_on }} <= {{ as_of_date() }} then 'lost' else 'pending' end
        -- In force, or ending at a due date that is still ahead.
        when {{ due_on }} > {{ as_of_date() }}
            then 'open'
        -- Nothing was decided on the day: the customer had stopped paying without leaving.
        when {{ is_paused_at_due }}
            then 'paused'
        when {{ renewed_arr }} > {{ due_arr }}
            then 'renewed_expanded'
        when {{ renewed_arr }} < {{ due_arr }}
            then 'renewed_contracted'
        else 'renewed_flat'
    end
{%- endmacro %}

{#
    The signs of each driver in the order in which they decide; the flags are columns under the given alias. What was
    bought and not delivered comes first, whatever else was well; then nobody left who spoke for us, however long
    that has been so, or nobody who decides spoken with for half a year.
#}
{% macro signs_of_drivers(seen) -%}
    {{ return([
        ('primary_need_unmet', seen ~ '.is_primary_need_breached'),
        (
            'disconnection',
            seen ~ '.is_sponsor_gone or ' ~ seen ~ '.is_executive_silent or ' ~ seen ~ '.is_champion_missing',
        ),
        ('competitor', seen ~ '.has_competitor_signal'),
        ('value_not_realised', seen ~ '.is_value_unproven or ' ~ seen ~ '.is_usage_falling'),
        ('price_budget', seen ~ '.has_payment_trouble'),
        ('support', seen ~ '.is_support_strained or ' ~ seen ~ '.has_detractor'),
    ]) }}
{%- endmacro %}

{#
    Why a renewal was in danger, as the data alone showed 90 days before it: one driver, the first of which a sign is
    there; unknown flags never decide. A change in the customer's own business or budget leaves no trace with its
    vendor, so no flag names those.
#}
{% macro evidenced_driver(seen) -%}
    case
        {% for driver, signs in signs_of_drivers(seen) -%}
            when {{ signs }} then '{{ driver }}'
        {% endfor -%}
    end
{%- endmacro %}

{#
    Do our own records bear out the driver that a customer named? Null where they could not know. Who asks for a
    feature may only be wishing, so that alone names no driver; it does bear out who says that one was missing.
#}
{% macro confirmed_by_data(driver, seen) -%}
    case {{ driver }}
        {% for named, signs in signs_of_drivers(seen) -%}
            when '{{ named }}' then {{ signs }}
        {% endfor -%}
        when 'product_gap' then {{ seen }}.has_feature_request
    end
{%- endmacro %}
