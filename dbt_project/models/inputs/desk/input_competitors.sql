select
    competitor_id,
    competitor_name
from {{ ref('stg_desk__competitors') }}
