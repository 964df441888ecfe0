-- In Salesforce a merge shows as the loser's master record; the version that first names it dates
-- the merge. In HubSpot the survivor tells of it.
select
    account_id as losing_account_id,
    merged_into_account_id as surviving_account_id,
    min(version_at) as merged_at,
    min(version_at) as known_at
from {{ ref('stg_salesforce__account_versions') }}
where merged_into_account_id is not null and is_known_version
group by account_id, merged_into_account_id
union all
select
    losing_id as losing_account_id,
    surviving_id as surviving_account_id,
    merged_at,
    merged_at as known_at
from {{ ref('stg_hubspot__merge') }}
where object_type = 'company' and merged_at < {{ as_of_end() }}
