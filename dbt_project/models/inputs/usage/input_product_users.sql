with users as (
    select
        product_user_id,
        workspace_id,
        min(usage_on) as first_seen_on,
        max(usage_on) as last_seen_on
    from {{ ref('input_usage_daily') }}
    group by product_user_id, workspace_id
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

-- Products call a user by the contact's id or by the e-mail address, or by a name of their own.
select
    users.product_user_id,
    users.workspace_id,
    workspaces.account_id,
    coalesce(by_id.contact_id, by_email.contact_id) as contact_id,
    users.first_seen_on,
    users.last_seen_on
from users
left join {{ ref('input_workspaces') }} as workspaces
    on users.workspace_id = workspaces.workspace_id
left join contacts as by_id on users.product_user_id = by_id.contact_id
left join contacts as by_email
    on
        lower(users.product_user_id) = by_email.email
        and by_email.contact_number = 1
