select
    story_request_id,
    format,
    requested_by_id,
    requested_on,
    {{ come_by('fulfilled_on') }} as fulfilled_on,
    account_id
from {{ ref('stg_desk__story_requests') }}
where requested_on <= {{ as_of_date() }}
