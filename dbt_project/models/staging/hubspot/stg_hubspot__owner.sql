with owners as (
    {{ newest_known('hubspot', 'owner', key=['id'], created='created_at') }}
),

logins as (
    {{ newest_known('hubspot', 'user', key=['id'], created='created_at') }}
),

-- A login names its owner, or the owner names the login.
owner_logins as (
    select
        owners.id as user_id,
        logins.id as login_key
    from owners
    inner join logins on owners.id = logins.owner_id
    union all
    select
        owners.id as user_id,
        logins.id as login_key
    from owners
    inner join logins on owners.login_id = logins.login_id
    where logins.owner_id is null
),

-- A person may have had several logins; the newest says what is known of them.
ranked_logins as (
    select
        owner_logins.user_id,
        logins.title,
        logins.function,
        logins.hired_on,
        logins.left_on,
        logins.destination_company_id,
        row_number() over (
            partition by owner_logins.user_id order by logins.created_at desc, logins.id asc
        ) as login_rank
    from owner_logins
    inner join logins on owner_logins.login_key = logins.id
    where not (coalesce(logins.is_deleted, false) and logins._was_known)
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
        owners.id = logins.user_id
        and logins.login_rank = 1
where coalesce(owners.type, 'PERSON') = 'PERSON'
