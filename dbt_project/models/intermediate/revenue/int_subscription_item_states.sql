with

spans as (
    select
        subscription_id,
        subscription_item_id,
        billing_customer_id,
        plan_id,
        price_id,
        valid_from,
        valid_to,
        started_at,
        status,
        term_months,
        currency,
        interval,
        interval_count,
        quantity,
        unit_amount,
        interval_amount,
        is_paying,
        is_paused,
        is_involuntary
    from {{ ref('int_subscription_item_spans') }}
),

reductions as (
    select
        subscription_item_id,
        valid_from,
        kept,
        discount_terms
    from {{ ref('int_subscription_item_reductions') }}
),

accounts as (
    select
        source_account_id,
        is_test
    from {{ ref('int_account_map') }}
),

customers as (
    select
        links.billing_customer_id,
        links.account_id,
        coalesce(accounts.is_test, false) as is_test
    from {{ ref('int_billing_customer_map') }} as links
    left join accounts on links.account_id = accounts.source_account_id
),

fx_rates as (
    select
        currency,
        valid_from,
        usd_per_unit,
        is_reference
    from {{ ref('input_fx_rates') }}
),

subscriptions as (
    select
        subscription_id,
        currency,
        {{ utc_date('min(started_at)') }} as started_on
    from spans
    group by subscription_id, currency
),

ranked_rates as (
    select
        subscriptions.subscription_id,
        subscriptions.currency,
        fx_rates.usd_per_unit,
        row_number() over (
            partition by subscriptions.subscription_id, subscriptions.currency
            order by
                {%- if policy_is('currency', 'rate_at_service_start') %}
                -- Service older than the oldest rate is valued at the oldest.
                case
                    when fx_rates.valid_from <= subscriptions.started_on then fx_rates.valid_from
                end desc nulls last,
            {%- else %}
                    case when fx_rates.is_reference then 0 else 1 end,
                {%- endif %}
                fx_rates.valid_from
        ) as rate_rank
    from subscriptions
    inner join fx_rates on subscriptions.currency = fx_rates.currency
),

rates as (
    select
        subscription_id,
        currency,
        usd_per_unit
    from ranked_rates
    where rate_rank = 1
),

valued as (
    select
        spans.subscription_id,
        spans.subscription_item_id,
        spans.billing_customer_id,
        customers.account_id,
        spans.plan_id,
        spans.price_id,
        spans.valid_from,
        spans.valid_to,
        spans.status,
        spans.term_months,
        spans.currency,
        cast(
            case spans.interval
                when 'year' then 12 * spans.interval_count
                when 'month' then spans.interval_count
                else 0
            end as bigint
        ) as interval_months,
        spans.quantity,
        spans.unit_amount,
        spans.is_paying,
        spans.is_paused,
        spans.is_involuntary,
        -- A company that sells in dollars only need not keep a rate for them.
        coalesce(rates.usd_per_unit, case when spans.currency = 'USD' then 1 end) as usd_per_unit,
        {{ monthly_amount('spans.interval_amount', 'spans.interval', 'spans.interval_count') }}
            as list_mrr,
        {{ monthly_amount(
            'spans.interval_amount', 'spans.interval', 'spans.interval_count',
            'coalesce(reductions.kept, 1)'
        ) }} as full_mrr,
        spans.price_id || coalesce(' less ' || reductions.discount_terms, '') as price_terms
    from spans
    left join reductions
        on
            spans.subscription_item_id = reductions.subscription_item_id
            and spans.valid_from = reductions.valid_from
    left join customers on spans.billing_customer_id = customers.billing_customer_id
    left join rates
        on
            spans.subscription_id = rates.subscription_id
            and spans.currency = rates.currency
    where not coalesce(customers.is_test, false)
)

select
    subscription_id,
    subscription_item_id,
    billing_customer_id,
    account_id,
    plan_id,
    price_id,
    valid_from,
    valid_to,
    status,
    term_months,
    currency,
    interval_months,
    quantity,
    unit_amount,
    price_terms,
    list_mrr,
    case
        when
            list_mrr > 0
            then {{ stable('1 - cast(full_mrr as double) / cast(list_mrr as double)') }}
    end as discount_rate,
    case when is_paying then full_mrr else 0 end as mrr,
    case when is_paying then {{ in_usd('full_mrr', 'usd_per_unit') }} else 0 end as mrr_usd,
    case when is_paused then {{ in_usd('full_mrr', 'usd_per_unit') }} else 0 end as paused_mrr_usd,
    is_paying,
    is_paused,
    is_involuntary
from valued
