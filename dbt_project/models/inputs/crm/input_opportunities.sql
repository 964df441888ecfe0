with deals_of_either_crm as (
    {{ of_either_crm('opportunity', 'deal', [
        'opportunity_id', 'is_deleted', 'created_at', 'account_id', 'opportunity_type',
        'stage_name', 'is_won', 'is_closed', 'amount', 'currency_iso_code', 'close_on', 'owner_id',
        'lead_source', 'campaign_id', 'contract_start_on', 'contract_term_months', 'loss_reason',
        'lost_to_competitor', 'acquisition_cost', 'stripe_subscription_id', 'is_rip_and_replace',
        'is_known_version',
    ]) }}
),

deals as (
    select
        opportunity_id,
        created_at,
        account_id,
        opportunity_type,
        stage_name,
        is_won,
        is_closed,
        amount,
        currency_iso_code,
        close_on,
        owner_id,
        lead_source,
        campaign_id,
        contract_start_on,
        contract_term_months,
        loss_reason,
        lost_to_competitor,
        acquisition_cost,
        stripe_subscription_id,
        is_rip_and_replace,
        is_known_version
    from deals_of_either_crm
    where not is_deleted
),

stage_changes as (
    select
        opportunity_id,
        created_at,
        change_id,
        old_value,
        new_value
    from {{ ref('stg_salesforce__opportunity_field_history') }}
    where field = 'StageName'
    union all
    select
        opportunity_id,
        created_at,
        change_id,
        old_value,
        new_value
    from {{ ref('stg_hubspot__deal_stage_change') }}
),

-- For deals whose versions of then are unknown: the stage before the first later change.
later_stages as (
    select
        opportunity_id,
        old_value as stage,
        row_number() over (
            partition by opportunity_id order by created_at, change_id
        ) as later_number
    from stage_changes
    where created_at >= {{ as_of_end() }}
),

judged as (
    select
        deals.opportunity_id,
        deals.created_at,
        deals.account_id,
        deals.opportunity_type,
        deals.is_won,
        deals.amount,
        deals.currency_iso_code,
        deals.close_on,
        deals.owner_id,
        deals.lead_source,
        deals.campaign_id,
        deals.contract_start_on,
        deals.contract_term_months,
        deals.loss_reason,
        deals.lost_to_competitor,
        deals.acquisition_cost,
        deals.stripe_subscription_id,
        deals.is_rip_and_replace,
        case
            when deals.is_known_version then deals.stage_name
            else coalesce(later_stages.stage, deals.stage_name)
        end as stage,
        coalesce(deals.is_closed, false)
        and (deals.is_known_version or deals.close_on <= {{ as_of_date() }}) as was_closed
    from deals
    left join later_stages
        on deals.opportunity_id = later_stages.opportunity_id and later_stages.later_number = 1
)

select
    opportunity_id,
    account_id,
    case lower(opportunity_type)
        when 'new business' then 'new_business'
        when 'renewal' then 'renewal'
        when 'expansion' then 'expansion'
        when 'win-back' then 'win_back'
        else replace(replace(lower(opportunity_type), ' ', '_'), '-', '_')
    end as opportunity_type,
    stage,
    was_closed and coalesce(is_won, false) as is_won,
    was_closed as is_closed,
    cast(amount as decimal(18, 2)) as amount,
    upper(currency_iso_code) as currency,
    created_at,
    case when was_closed then close_on end as closed_on,
    close_on as expected_close_on,
    owner_id,
    lead_source,
    campaign_id,
    contract_start_on,
    cast(contract_term_months as bigint) as contract_term_months,
    case when was_closed and not coalesce(is_won, false) then loss_reason end as loss_reason,
    case
        when was_closed and not coalesce(is_won, false) then lost_to_competitor
    end as lost_to_competitor_id,
    case when was_closed then cast(acquisition_cost as decimal(18, 2)) end as acquisition_cost_usd,
    case when was_closed then stripe_subscription_id end as billing_subscription_id,
    coalesce(is_rip_and_replace, false) as is_rip_and_replace,
    created_at as known_at
from judged
