select
    cast({{ dbt.last_day('month', 'month') }} as date) as month,
    lower(function) as function,
    purpose,
    cast(sum(cost_usd) as decimal(18, 2)) as cost_usd,
    cast(sum(headcount) as double) as headcount
from {{ ref('stg_desk__function_costs') }}
where month <= {{ as_of_date() }}
group by cast({{ dbt.last_day('month', 'month') }} as date), lower(function), purpose
