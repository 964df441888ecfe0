select
    employee_objective_id,
    employee_id,
    objective_type,
    period_start_on,
    period_end_on,
    cast(target as double) as target,
    account_id
from {{ ref('stg_desk__objectives') }}
where (period_start_on is null or period_start_on <= {{ as_of_date() }})
