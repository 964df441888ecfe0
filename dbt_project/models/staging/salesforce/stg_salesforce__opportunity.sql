with versions as (
    {{ newest_known('salesforce', 'opportunity', key=['id'], created='created_date') }}
)

select
    id as opportunity_id,
    coalesce(is_deleted, false) and _was_known as is_deleted,
    created_date as created_at,
    system_modstamp as modified_at,
    account_id,
    name,
    type as opportunity_type,
    stage_name,
    is_won,
    is_closed,
    amount,
    currency_iso_code,
    close_date as close_on,
    owner_id,
    lead_source,
    campaign_id,
    contract_start_date__c as contract_start_on,
    contract_term_months__c as contract_term_months,
    loss_reason__c as loss_reason,
    loss_reason_detail__c as loss_reason_detail,
    lost_to_competitor__c as lost_to_competitor,
    acquisition_cost__c as acquisition_cost,
    stripe_subscription_id__c as stripe_subscription_id,
    is_rip_and_replace__c as is_rip_and_replace,
    _version_at as version_at,
    _was_known as is_known_version
from versions
