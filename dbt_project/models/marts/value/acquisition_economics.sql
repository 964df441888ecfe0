{# Months after which a win is asked whether it is still there. #}
{% set kept_months = 24 %}
{# A contract that has not begun a year after the deal was won never will have been its fruit. #}
{% set begins_within_months = 12 %}
with

deals as (
    select
        opportunity_id,
        account_id,
        opportunity_type,
        lower(trim(lead_source)) as lead_source,
        closed_on,
        {{ month_end('closed_on') }} as closed_month,
        cast({{ dbt.date_trunc('quarter', 'closed_on') }} as date) as quarter_start_on,
        cycle_days,
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

accounts as (
    select
        account_id,
        acquisition_origin
    from {{ ref('dim_accounts') }}
),

-- Who came back carries the origin of the return; the first deal tells how it was won at first.
returns as (
    select
        account_id,
        min(closed_on) as returned_on
    from deals
    where is_won and opportunity_type = 'win_back'
    group by account_id
),

lost_before as (
    {{ deals_lost_before() }}
),

wins as (
    select
        deals.opportunity_id,
        deals.account_id,
        deals.closed_month,
        deals.quarter_start_on,
        deals.cycle_days,
        deals.is_preference_drag,
        case
            when deals.opportunity_type = 'win_back' then 'boomerang'
            when
                accounts.acquisition_origin is not null
                and not (
                    accounts.acquisition_origin = 'boomerang'
                    and coalesce(deals.closed_on < returns.returned_on, false)
                )
                then accounts.acquisition_origin
            else {{ origin_told_by('deals') }}
        end as acquisition_origin
    from deals
    inner join accounts on deals.account_id = accounts.account_id
    left join returns on deals.account_id = returns.account_id
    left join lost_before on deals.opportunity_id = lost_before.opportunity_id
    left join {{ ref('lead_source_origins') }} as sources on deals.lead_source = sources.lead_source
    where deals.is_won
),

costs as (
    select
        opportunity_id,
        cost_usd,
        is_allocated
    from {{ ref('int_account_acquisition_costs') }}
),

months as (
    select
        account_id,
        month_end_on,
        coalesce(segment, '(unknown)') as segment,
        closing_mrr_usd,
        is_active,
        is_free
    from {{ ref('fct_account_months') }}
),

last_months as (
    select max(month_end_on) as last_month_end_on
    from months
),

assumptions as (
    select
        segment,
        valid_from,
        gross_margin_rate,
        lead(valid_from) over (partition by segment order by valid_from) as valid_to
    from {{ ref('value_assumptions') }}
),

starts as (
    select
        wins.opportunity_id,
        wins.account_id,
        costs.cost_usd,
        min(months.month_end_on) as start_month
    from wins
    inner join months
        on
            wins.account_id = months.account_id
            and wins.closed_month <= months.month_end_on
            and {{ month_end(months_after('wins.closed_month', begins_within_months)) }}
            >= months.month_end_on
    left join costs on wins.opportunity_id = costs.opportunity_id
    where months.is_active
    group by wins.opportunity_id, wins.account_id, costs.cost_usd
),

lives as (
    select
        starts.opportunity_id,
        starts.cost_usd,
        cast(
            {{ months_between('starts.start_month', 'months.month_end_on') }} as bigint
        ) as months_in,
        months.closing_mrr_usd,
        months.is_active,
        months.is_free,
        sum({{ exact('months.closing_mrr_usd * assumptions.gross_margin_rate', 6) }}) over (
            partition by starts.opportunity_id
            order by months.month_end_on
            rows unbounded preceding
        ) as gross_profit_usd
    from starts
    inner join months
        on
            starts.account_id = months.account_id
            and starts.start_month <= months.month_end_on
    inner join assumptions
        on
            months.segment = assumptions.segment
            and months.month_end_on >= assumptions.valid_from
            and (assumptions.valid_to is null or months.month_end_on < assumptions.valid_to)
),

followed as (
    select
        opportunity_id,
        min(case when gross_profit_usd >= cost_usd then months_in + 1 end) as payback_months,
        min(case when closing_mrr_usd > 0 then months_in end) as first_paid_in,
        count(case when is_free and months_in < {{ kept_months }} then 1 end) as free_months,
        max(case when months_in = {{ kept_months }} and is_active then 1 else 0 end) as kept_24m,
        max(case when months_in = {{ kept_months }} then closing_mrr_usd end) as mrr_24m_usd
    from lives
    group by opportunity_id
),

first_paid as (
    select
        lives.opportunity_id,
        max(lives.closing_mrr_usd) as first_mrr_usd
    from lives
    inner join followed
        on
            lives.opportunity_id = followed.opportunity_id
            and lives.months_in = followed.first_paid_in
    group by lives.opportunity_id
),

outcomes as (
    select
        wins.opportunity_id,
        wins.acquisition_origin,
        wins.quarter_start_on,
        wins.cycle_days,
        wins.is_preference_drag,
        costs.cost_usd,
        costs.is_allocated,
        followed.payback_months,
        followed.free_months,
        first_paid.first_mrr_usd,
        starts.start_month,
        -- Only a win that had the time to last can have lasted.
        coalesce(
            {{ month_end(months_after('starts.start_month', kept_months)) }}
            <= last_months.last_month_end_on,
            false
        ) as is_24m_over,
        followed.kept_24m,
        followed.mrr_24m_usd
    from wins
    cross join last_months
    left join costs on wins.opportunity_id = costs.opportunity_id
    left join starts on wins.opportunity_id = starts.opportunity_id
    left join followed on wins.opportunity_id = followed.opportunity_id
    left join first_paid on wins.opportunity_id = first_paid.opportunity_id
),

-- Every origin has every quarter from the first win of all on: one without wins is a quarter too.
origins as (
    select distinct acquisition_origin
    from wins
),

quarters as (
    select distinct
        cast({{ dbt.date_trunc('quarter', 'month_end_on') }} as date) as quarter_start_on
    from {{ ref('int_month_ends') }}
    union
    select distinct quarter_start_on
    from wins
),

first_quarters as (
    select min(quarter_start_on) as first_quarter_on
    from wins
),

counted as (
    select
        acquisition_origin,
        quarter_start_on,
        count(*) as wins,
        case
            when count(is_preference_drag) > 0 then count(case when is_preference_drag then 1 end)
        end as wins_by_preference_drag,
        count(cost_usd) as wins_costed,
        count(case when is_allocated then 1 end) as wins_cost_allocated,
        sum(cost_usd) as cac_total_usd,
        cast(12 * sum(first_mrr_usd) as decimal(18, 2)) as first_arr_usd,
        cast(
            12 * sum(case when cost_usd is not null then first_mrr_usd end) as decimal(18, 2)
        ) as costed_first_arr_usd,
        count(case when cost_usd is not null and start_month is not null then 1 end)
            as wins_payback_known,
        count(payback_months) as wins_paid_back,
        sum(payback_months) as payback_months_sum,
        median(payback_months) as payback_months_median,
        median(cycle_days) as cycle_days_median,
        avg(1.0 * free_months) as free_months_avg,
        count(case when is_24m_over then 1 end) as wins_24m,
        sum(case when is_24m_over then kept_24m end) as kept_24m,
        sum(case when is_24m_over then first_mrr_usd end) as first_mrr_24m_usd,
        sum(case when is_24m_over then coalesce(mrr_24m_usd, 0) end) as mrr_24m_usd
    from outcomes
    group by acquisition_origin, quarter_start_on
),

filled as (
    select
        origins.acquisition_origin,
        quarters.quarter_start_on,
        coalesce(counted.wins, 0) as wins,
        case when counted.wins is null then 0 else counted.wins_by_preference_drag end
            as wins_by_preference_drag,
        coalesce(counted.wins_costed, 0) as wins_costed,
        coalesce(counted.wins_cost_allocated, 0) as wins_cost_allocated,
        counted.cac_total_usd,
        counted.first_arr_usd,
        counted.costed_first_arr_usd,
        coalesce(counted.wins_payback_known, 0) as wins_payback_known,
        coalesce(counted.wins_paid_back, 0) as wins_paid_back,
        counted.payback_months_median,
        counted.cycle_days_median,
        counted.free_months_avg,
        coalesce(counted.wins_24m, 0) as wins_24m,
        coalesce(counted.kept_24m, 0) as kept_24m,
        counted.first_mrr_24m_usd,
        counted.mrr_24m_usd,
        sum(counted.cac_total_usd) over four_quarters as cac_4q_usd,
        sum(counted.wins_costed) over four_quarters as wins_costed_4q,
        sum(counted.costed_first_arr_usd) over four_quarters as costed_first_arr_4q_usd
    from origins
    cross join quarters
    inner join first_quarters on quarters.quarter_start_on >= first_quarters.first_quarter_on
    left join counted
        on
            origins.acquisition_origin = counted.acquisition_origin
            and quarters.quarter_start_on = counted.quarter_start_on
    window
        four_quarters as (
            partition by origins.acquisition_origin
            order by quarters.quarter_start_on
            rows between 3 preceding and current row
        )
),

-- What is compared is a year of wins: a single quarter holds too few.
rated as (
    select
        *,
        cast(cac_4q_usd as double) / nullif(wins_costed_4q, 0) as cac_per_win_4q_usd,
        cast(cac_4q_usd as double) / nullif(costed_first_arr_4q_usd, 0) as cac_per_arr_4q,
        1.0 * kept_24m / nullif(wins_24m, 0) as kept_share
    from filled
),

new_prospects as (
    select
        quarter_start_on,
        cac_per_win_4q_usd,
        cac_per_arr_4q
    from rated
    where acquisition_origin = 'new_prospect'
)

select
    rated.acquisition_origin,
    rated.quarter_start_on,
    cast(rated.wins as bigint) as wins,
    cast(rated.wins_by_preference_drag as bigint) as wins_by_preference_drag,
    cast(rated.wins_costed as bigint) as wins_costed,
    cast(rated.wins_cost_allocated as bigint) as wins_cost_allocated,
    cast(rated.cac_total_usd as decimal(18, 2)) as cac_total_usd,
    cast(rated.cac_total_usd / nullif(rated.wins_costed, 0) as decimal(18, 2)) as cac_usd,
    cast(rated.cac_per_win_4q_usd as decimal(18, 2)) as cac_4q_usd,
    rated.first_arr_usd,
    {{ stable('rated.cac_total_usd / nullif(rated.costed_first_arr_usd, 0)') }}
        as cac_per_first_arr_ratio,
    {{ stable('rated.cac_per_win_4q_usd / nullif(new_prospects.cac_per_win_4q_usd, 0)') }}
        as cac_to_new_prospect_ratio,
    {{ stable('rated.cac_per_arr_4q / nullif(new_prospects.cac_per_arr_4q, 0)') }}
        as cac_per_arr_to_new_prospect_ratio,
    cast(rated.wins_payback_known as bigint) as wins_payback_known,
    cast(rated.wins_paid_back as bigint) as wins_paid_back,
    {{ stable('rated.payback_months_median') }} as payback_months,
    {{ stable('rated.cycle_days_median') }} as cycle_days,
    {{ stable('rated.free_months_avg') }} as free_months,
    cast(rated.wins_24m as bigint) as wins_24m,
    cast(rated.kept_24m as bigint) as kept_24m,
    {{ stable('rated.kept_share') }} as retention_24m_rate,
    {{ stable(wilson_end('rated.kept_share', 'nullif(rated.wins_24m, 0)', '-')) }}
        as retention_24m_low,
    {{ stable(wilson_end('rated.kept_share', 'nullif(rated.wins_24m, 0)', '+')) }}
        as retention_24m_high,
    {{ stable('rated.mrr_24m_usd / nullif(rated.first_mrr_24m_usd, 0)') }}
        as net_retention_24m_rate
from rated
left join new_prospects on rated.quarter_start_on = new_prospects.quarter_start_on
