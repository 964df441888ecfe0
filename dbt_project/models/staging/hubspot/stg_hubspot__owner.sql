with owners as (
    {{ newest_known('hubspot', 'owner', key=['id'], created='created_at') }}
),

logins as (
    {{ newest_known('hubspot', 'user', key=['id'], created='created_at') }}
),

-- A person may have had several logins; the newest says what is known of them.
ranked_logins as (
    select
        owner_id,
        login_id,
        title,
        function,
        hired_on,
        left_on,
        destination_company_id,
        row_number() over (
            partition by coalesce(owner_id, login_id) order by created_at desc, id asc
        ) as login_rank
    from logins
    where not (coalesce(is_deleted, false) and _was_known)
)

select
    owners.id as user_id,
    owners.created_at,
    owners.updated_at as modified_at,
    nullif(
        trim(coalesce(owners.first_name, '') || ' ' || coalesce(owners.last_name, '')), ''
    ) as name,
    owners.email,
    logins.title,
    lower({{ json_item_text('owners.teams', 0, 'name') }}) as department,
    lower(logins.function) as function,
    coalesce(logins.hired_on, {{ utc_date('owners.created_at') }}) as hired_on,
    coalesce(
        logins.left_on, case when owners.is_deleted then {{ utc_date('owners.updated_at') }} end
    ) as left_on,
    logins.destination_company_id as destination_account_id,
    -- Owners who have left are archived; they are still who owned what they owned.
    false as is_deleted,
    owners._version_at as version_at,
    owners._was_known as is_known_version
from owners
left join ranked_logins as logins
    on
        logins.login_rank = 1
        and coalesce(logins.owner_id, logins.login_id)
        = case when logins.owner_id is not null then owners.id else owners.login_id end
where coalesce(owners.type, 'PERSON') = 'PERSON'
