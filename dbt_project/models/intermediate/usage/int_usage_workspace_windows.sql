{{
    config(
        materialized='incremental',
        incremental_strategy=usage_window_strategy(),
        unique_key='month_end_on',
        partition_by=['month_end_on'] if target.type == 'spark' else none,
    )
}}

with

{{ usage_seen_from_changed_months() }}

select
    workspace_id,
    observed_on,
    window_rows,
    window_events,
    max(usage_on) as last_usage_on,
    count(distinct case when days_ago < 28 then product_user_id end) as active_users_28d,
    count(distinct product_user_id) as active_users_90d,
    cast(sum(case when days_ago < 28 then events else 0 end) as bigint) as events_28d,
    cast(sum(events) as bigint) as events_90d,
    -- One bit a day, so that the days of two workspaces of one account are united and not added.
    cast(
        bit_or(
            case
                when days_ago < 28 then cast(power(2, days_ago) as bigint) else cast(0 as bigint)
            end
        )
        as bigint
    ) as active_days_28d_bits,
    month_end_on
from seen
group by workspace_id, observed_on, window_rows, window_events, month_end_on
