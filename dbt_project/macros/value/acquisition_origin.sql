{# How an account was won, told by the deal alone. Reads `sources` (lead_source_origins) and `lost_before`
   beside the deal. #}
{% macro origin_told_by(deal) -%}
    case
        when {{ deal }}.opportunity_type = 'win_back' then 'boomerang'
        when {{ deal }}.is_rip_and_replace then 'rip_and_replace'
        when {{ deal }}.is_preference_drag then 'alumni_led'
        when sources.acquisition_origin is not null then sources.acquisition_origin
        when lost_before.deals_lost_before > 0 then 'lost_deal'
        else 'new_prospect'
    end
{%- endmacro %}

{# Deals of `deals` with how many of the account's deals of new business were lost before. #}
{% macro deals_lost_before() -%}
    select
        deals.opportunity_id,
        count(*) as deals_lost_before
    from deals
    inner join deals as earlier
        on
            deals.account_id = earlier.account_id
            and deals.closed_on > earlier.closed_on
    where not earlier.is_won and earlier.opportunity_type = 'new_business'
    group by deals.opportunity_id
{%- endmacro %}
