with

subscriptions as (
    select
        billing_customer_id,
        min(valid_from) as first_valid_from
    from {{ ref('input_subscription_versions') }}
    group by billing_customer_id
),

customer_map as (
    select
        customers.billing_customer_id,
        customers.account_id
    from {{ ref('int_billing_customer_map') }} as customers
    inner join {{ ref('int_account_map') }} as accounts
        on customers.account_id = accounts.source_account_id
    where not accounts.is_test
),

lives as (
    select
        customer_map.account_id,
        cast(min(subscriptions.first_valid_from) as date) as life_started_on
    from subscriptions
    inner join customer_map on subscriptions.billing_customer_id = customer_map.billing_customer_id
    group by customer_map.account_id
),

numbers as (
    {{ thousand_numbers() }}
),

months as (
    select
        lives.account_id,
        lives.life_started_on,
        {{ month_end(months_after('lives.life_started_on', 'numbers.n')) }} as month_end_on
    from lives
    inner join numbers
        on numbers.n <= {{ months_between('lives.life_started_on', as_of_date()) }}
    where lives.life_started_on <= {{ as_of_date() }}
)

select
    account_id,
    least(month_end_on, {{ as_of_date() }}) as observed_on,
    month_end_on,
    life_started_on,
    {{ month_index('month_end_on') }} as month_number,
    month_end_on <= {{ as_of_date() }} as is_month_end
from months
