with users as (
    {{ of_either_crm('user', 'owner', [
        'user_id', 'name', 'email', 'title', 'department', 'function', 'hired_on', 'left_on',
        'destination_account_id', 'is_deleted',
    ]) }}
)

select
    user_id as employee_id,
    name as full_name,
    email,
    title,
    lower(coalesce(function, department)) as function,
    hired_on,
    {{ come_by('left_on') }} as left_on,
    case
        when left_on <= {{ as_of_date() }} then destination_account_id
    end as destination_account_id
from users
where not is_deleted
