select
    incentive_id,
    function,
    metric,
    cast(weight as double) as weight,
    valid_from,
    valid_to
from {{ ref('stg_desk__incentives') }}
where valid_from <= {{ as_of_date() }}
