select
    account_id,
    feature_id,
    entitled_from,
    entitled_to
from {{ ref('stg_desk__entitlements') }}
where entitled_from <= {{ as_of_date() }}
