with

owned as (
    select
        owner_id,
        count(*) as accounts_owned
    from {{ ref('dim_accounts') }}
    where not is_merged and not is_test and not is_deleted
    group by owner_id
)

select
    employees.employee_id,
    destinations.account_id as destination_account_id,
    employees.hired_on,
    employees.left_on,
    employees.function,
    cast(coalesce(owned.accounts_owned, 0) as bigint) as accounts_owned,
    cast(
        {{ dbt.datediff(
            'employees.hired_on', 'coalesce(employees.left_on, ' ~ as_of_date() ~ ')', 'day'
        ) }} as bigint
    ) as tenure_days,
    employees.left_on is null as is_employed,
    coalesce(
        lower(employees.title) like '%vp%'
        or lower(employees.title) like '%vice president%'
        or lower(employees.title) like '%chief%',
        false
    ) as is_vice_president,
    employees.left_on is not null as is_alumni_eligible
from {{ ref('input_employees') }} as employees
left join {{ ref('int_account_map') }} as destinations
    on employees.destination_account_id = destinations.source_account_id
left join owned on employees.employee_id = owned.owner_id
