with versions as (
    {{ newest_known('hubspot', 'deal', key=['id'], created='created_at') }}
),

stages as (
    select
        pipeline_id,
        stage_id,
        label,
        is_closed,
        probability
    from {{ ref('stg_hubspot__pipeline_stage') }}
    where object_type = 'deals'
)

select
    versions.id as opportunity_id,
    coalesce(versions.is_deleted, false) and versions._was_known as is_deleted,
    versions.created_at,
    versions.updated_at as modified_at,
    versions.company_id as account_id,
    versions.name,
    case versions.type
        when 'newbusiness' then 'new_business'
        when 'existingbusiness' then 'expansion'
        when 'winback' then 'win_back'
        else versions.type
    end as opportunity_type,
    coalesce(stages.label, versions.stage_id) as stage_name,
    coalesce(versions.is_won, stages.probability = 1) as is_won,
    coalesce(versions.is_closed, stages.is_closed) as is_closed,
    versions.amount,
    versions.currency as currency_iso_code,
    versions.close_date as close_on,
    versions.owner_id,
    versions.lead_source,
    versions.campaign_id,
    versions.contract_start_on,
    versions.contract_term_months,
    versions.loss_reason,
    versions.lost_to_competitor,
    versions.acquisition_cost_usd as acquisition_cost,
    versions.billing_subscription_id as stripe_subscription_id,
    versions.is_rip_and_replace,
    versions._version_at as version_at,
    versions._was_known as is_known_version
from versions
left join stages
    on versions.pipeline_id = stages.pipeline_id and versions.stage_id = stages.stage_id
