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
    feature_id,
    observed_on,
    window_rows,
    window_events,
    max(usage_on) as last_used_on,
    count(distinct case when days_ago < 28 then product_user_id end) as users_28d,
    count(distinct product_user_id) as users_90d,
    cast(sum(case when days_ago < 28 then events else 0 end) as bigint) as events_28d,
    cast(sum(events) as bigint) as events_90d,
    count(distinct case when days_ago < 56 then floor(days_ago / 7.0) end) as weeks_used_8w,
    month_end_on
from seen
where feature_id is not null
group by workspace_id, feature_id, observed_on, window_rows, window_events, month_end_on
