-- Every policy in use must be one of its alternatives; a number of days is at least nought.
with

chosen as (
    {%- for policy in [
        'discounts', 'paused', 'past_due', 'churn_date', 'reactivation', 'currency',
        'trial_and_free_ramp', 'new_and_churned_between_month_ends'
    ] %}
        select
            '{{ policy }}' as policy,
            '{{ var("policy_" ~ policy) }}' as chosen_value
        union all
    {%- endfor %}
    {%- for policy in [
        'pause_lapses_after_days', 'past_due_counts_days', 'reactivation_within_days',
        'renewal_grace_days', 'month_close_days'
    ] %}
        select
            '{{ policy }}' as policy,
            case when {{ var(policy) | int(-1) }} >= 0 then 'days' else '{{ var(policy) }}' end
                as chosen_value
        {{ 'union all' if not loop.last }}
    {%- endfor %}
)

select
    chosen.policy,
    chosen.chosen_value,
    policies.alternatives
from chosen
left join {{ ref('metric_policies') }} as policies on chosen.policy = policies.policy
where
    policies.policy is null
    or ';' || policies.alternatives || ';' not like '%;' || chosen.chosen_value || ';%'
