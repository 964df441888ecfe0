with users as (
    select
        product_user_id,
        workspace_id,
        -- The contact named last; nobody is named by events without a user.
        max(case when contact_id is not null then usage_on end) as named_on,
        min(usage_on) as first_seen_on,
        max(usage_on) as last_seen_on
    from {{ ref('input_usage_daily') }}
    group by product_user_id, workspace_id
),

names as (
    select
        users.product_user_id,
        users.workspace_id,
        max(daily.contact_id) as contact_id
    from users
    inner join {{ ref('input_usage_daily') }} as daily
        on
            users.product_user_id = daily.product_user_id
            and users.workspace_id = daily.workspace_id
            and users.named_on = daily.usage_on
    where users.product_user_id <> '(anonymous)'
    group by users.product_user_id, users.workspace_id
),

contacts as (
    select
        contact_id,
        lower(email) as email,
        row_number() over (
            partition by lower(email) order by is_deleted, created_at, contact_id
        ) as contact_number
    from {{ ref('input_contacts') }}
)

-- Products tell the contact in an event, or call a user by the contact's id or e-mail address, or
-- by a name of their own that matches nobody.
select
    users.product_user_id,
    users.workspace_id,
    workspaces.account_id,
    coalesce(named.contact_id, by_id.contact_id, by_email.contact_id) as contact_id,
    users.first_seen_on,
    users.last_seen_on
from users
left join {{ ref('input_workspaces') }} as workspaces
    on users.workspace_id = workspaces.workspace_id
left join names
    on
        users.product_user_id = names.product_user_id
        and users.workspace_id = names.workspace_id
left join contacts as named on names.contact_id = named.contact_id
left join contacts as by_id on users.product_user_id = by_id.contact_id
left join contacts as by_email
    on
        lower(users.product_user_id) = by_email.email
        and by_email.contact_number = 1
