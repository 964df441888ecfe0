{# Inlined, never stored: names and addresses stay in the inputs and in dim_people. #}
{{ config(materialized='ephemeral') }}

with contacts as (
    select
        contact_id,
        account_id,
        former_contact_id,
        merged_into_contact_id,
        level,
        created_at,
        {{ given_name('first_name') }} as given_name,
        {{ name_letters('last_name') }} as family_name,
        {{ email_key('email') }} as email_key,
        {{ mailbox('email') }} as mailbox,
        {{ web_domain('email') }} as email_domain
    from {{ ref('input_contacts') }}
)

select
    contact_id,
    account_id,
    former_contact_id,
    merged_into_contact_id,
    given_name,
    family_name,
    case when not {{ is_role_mailbox('mailbox') }} then email_key end as email_key,
    case when not {{ is_role_mailbox('mailbox') }} then {{ name_letters('mailbox') }} end
        as mailbox_key,
    case when not {{ is_shared_domain('email_domain') }} then email_domain end as email_domain,
    level,
    created_at
from contacts
