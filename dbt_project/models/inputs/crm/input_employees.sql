select
    cast(null as varchar) as employee_id,
    cast(null as varchar) as full_name,
    cast(null as varchar) as email,
    cast(null as varchar) as title,
    cast(null as varchar) as function,
    cast(null as date) as hired_on,
    cast(null as date) as left_on,
    cast(null as varchar) as destination_account_id
where false
