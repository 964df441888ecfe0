select
    program_id,
    program_name,
    program_type,
    predicted_action,
    started_on,
    {{ come_by('ended_on') }} as ended_on,
    cast(cost_usd as decimal(18, 2)) as cost_usd,
    is_randomised
from {{ ref('stg_desk__programs') }}
where (started_on is null or started_on <= {{ as_of_date() }})
