-- Every policy in use must be one of its alternatives, and the documented default must be the one
-- of the project.
with

chosen as (
    {%- for policy in [
        'discounts', 'paused', 'past_due', 'churn_date', 'reactivation', 'currency'
    ] %}
        select
            '{{ policy }}' as policy,
            '{{ var("policy_" ~ policy) }}' as chosen_value
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
