{#
    A view, and on purpose: the events behind it are the one table that grows without end, kept by
    day in input_usage_daily. Only the account is added here, and it is looked up when read, so a
    workspace that finds its account late, or an account merged years afterwards, is right at once
    for all of its history and no row is copied or rewritten for it.
#}
{{ config(materialized='view') }}

select
    daily.workspace_id,
    daily.product_user_id,
    daily.feature_id,
    workspaces.account_id,
    daily.usage_on,
    daily.known_at,
    daily.known_through,
    daily.events
from {{ ref('input_usage_daily') }} as daily
left join {{ ref('int_workspace_map') }} as workspaces
    on daily.workspace_id = workspaces.workspace_id
left join {{ ref('int_account_map') }} as accounts
    on workspaces.account_id = accounts.source_account_id
where
    daily.usage_on <= {{ as_of_date() }}
    and daily.known_through < {{ as_of_end() }}
    and not coalesce(accounts.is_test, false)
