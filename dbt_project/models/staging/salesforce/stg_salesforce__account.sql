with versions as (
    {{ newest_known('salesforce', 'account', key=['id'], created='created_date') }}
)

select
    id as account_id,
    coalesce(is_deleted, false) and _was_known as is_deleted,
    created_date as created_at,
    system_modstamp as modified_at,
    name,
    type as account_type,
    industry,
    billing_country,
    number_of_employees,
    website,
    owner_id,
    parent_id,
    master_record_id as merged_into_account_id,
    segment__c as segment,
    region__c as region,
    acquisition_origin__c as acquisition_origin,
    stripe_customer_id__c as stripe_customer_id,
    workspace_id__c as workspace_id,
    is_test__c as is_test,
    displaced_competitor__c as displaced_competitor,
    _version_at as version_at,
    _was_known as is_known_version
from versions
