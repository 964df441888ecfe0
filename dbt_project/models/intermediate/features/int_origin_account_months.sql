with

observations as (
    select
        account_id,
        observed_on
    from {{ ref('int_account_observations') }}
),

deals as (
    select
        opportunity_id,
        account_id,
        opportunity_type,
        lower(trim(lead_source)) as lead_source,
        closed_on,
        {{ visible_on('closed_on', 'known_at') }} as visible_on,
        is_rip_and_replace,
        is_preference_drag,
        is_won
    from {{ ref('fct_opportunities') }}
    where
        is_closed
        and closed_on is not null
        and account_id is not null
        and opportunity_type in ('new_business', 'win_back')
),

lost_before as (
    {{ deals_lost_before() }}
),

ranked as (
    select
        *,
        row_number() over (
            partition by account_id, opportunity_type order by visible_on, opportunity_id
        ) as win_rank
    from deals
    where is_won
),

-- The first deal made a customer, and each return made it one again; a second product did not. Told
-- by the deal alone: the account's own field is overwritten when a customer comes back.
wins as (
    select
        ranked.account_id,
        ranked.visible_on,
        {{ origin_told_by('ranked') }} as acquisition_origin,
        lead(ranked.visible_on) over (
            partition by ranked.account_id order by ranked.visible_on, ranked.opportunity_id
        ) as followed_on
    from ranked
    left join lost_before on ranked.opportunity_id = lost_before.opportunity_id
    left join {{ ref('lead_source_origins') }} as sources
        on ranked.lead_source = sources.lead_source
    where ranked.opportunity_type = 'win_back' or ranked.win_rank = 1
)

select
    observations.account_id,
    observations.observed_on,
    wins.acquisition_origin
from observations
left join wins
    on
        observations.account_id = wins.account_id
        and observations.observed_on >= wins.visible_on
        and observations.observed_on < coalesce(wins.followed_on, cast('9999-12-31' as date))
