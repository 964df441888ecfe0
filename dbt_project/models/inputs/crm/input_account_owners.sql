-- Salesforce writes a change of a lookup twice, by name and by id; only ids name an employee.
with changes_of_either_crm as (
    select
        account_id,
        change_id,
        created_at,
        old_value,
        new_value
    from {{ ref('stg_salesforce__account_history') }}
    where
        field in ('Owner', 'OwnerId')
        and new_value like '005%'
    union all
    select
        record_id as account_id,
        change_id,
        created_at,
        old_value,
        new_value
    from {{ ref('stg_hubspot__property_change') }}
    where
        object_type = 'company'
        and property = 'hubspot_owner_id'
        and new_value is not null
),

accounts as (
    {{ of_either_crm('account', 'company', ['account_id', 'owner_id', 'created_at']) }}
),

changes as (
    select
        account_id,
        created_at as changed_at,
        old_value as owner_before,
        new_value as owner_after,
        row_number() over (partition by account_id order by created_at, change_id) as change_number
    from changes_of_either_crm
),

-- Before the first change ever the account had that change's old owner.
first_owners as (
    select
        accounts.account_id,
        coalesce(changes.owner_before, accounts.owner_id) as employee_id,
        accounts.created_at as owned_at
    from accounts
    left join changes
        on accounts.account_id = changes.account_id and changes.change_number = 1
),

starts as (
    select
        account_id,
        employee_id,
        owned_at
    from first_owners
    where employee_id is not null
    union all
    select
        account_id,
        owner_after as employee_id,
        changed_at as owned_at
    from changes
    where changed_at < {{ as_of_end() }}
),

-- The owner at the end of a day owns the day.
last_of_day as (
    select
        account_id,
        employee_id,
        owned_at,
        {{ utc_date('owned_at') }} as owned_from,
        row_number() over (
            partition by account_id, {{ utc_date('owned_at') }} order by owned_at desc
        ) as rank_in_day
    from starts
),

with_previous as (
    select
        *,
        lag(employee_id) over (partition by account_id order by owned_from) as previous_employee_id
    from last_of_day
    where rank_in_day = 1
)

select
    account_id,
    employee_id,
    owned_from,
    lead(owned_from) over (partition by account_id order by owned_from) as owned_to,
    owned_at as known_at
from with_previous
where previous_employee_id is null or previous_employee_id <> employee_id
