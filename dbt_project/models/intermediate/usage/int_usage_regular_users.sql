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
    product_user_id,
    observed_on,
    window_rows,
    window_events,
    count(distinct usage_on) as active_days_28d,
    count(distinct feature_id) as features_used_28d,
    cast(sum(events) as bigint) as events_28d,
    month_end_on
from seen
where
    product_user_id is not null
    and days_ago < 28
group by workspace_id, product_user_id, observed_on, window_rows, window_events, month_end_on
having count(distinct usage_on) >= {{ var('power_user_days', 12) }}
