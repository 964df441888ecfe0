{# Each doubling follows twice as many steps: 2^7 contracts in a row without recursion. #}
{% set doublings = 7 %}
with

contracts as (
    select subscription_id
    from {{ ref('int_contracts') }}
),

successions as (
    select
        subscription_id,
        next_subscription_id
    from {{ ref('int_contract_successions') }}
),

hop_0 as (
    select
        contracts.subscription_id,
        coalesce(successions.subscription_id, contracts.subscription_id) as reached_id
    from contracts
    left join successions on contracts.subscription_id = successions.next_subscription_id
),

{% for hop in range(1, doublings + 1) -%}
    hop_{{ hop }} as (
        select
            near.subscription_id,
            far.reached_id
        from hop_{{ hop - 1 }} as near
        inner join hop_{{ hop - 1 }} as far on near.reached_id = far.subscription_id
    ){{ ',' if not loop.last }}

{% endfor -%}
select
    subscription_id,
    reached_id as first_subscription_id
from hop_{{ doublings }}
