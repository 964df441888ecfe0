{% set dimensions = [
    'clv', 'product_feedback', 'innovation', 'devotion', 'exclusivity', 'advocacy',
] %}
{# What accounts are ranked by in each month, and what the rank is called. #}
{% set ranks = {
    'clv_usd': 'v_clv', 'product_feedback': 'v_product_feedback', 'innovation': 'v_innovation',
    'tenure_months': 'tenure_rank', 'exclusivity': 'v_exclusivity', 'advocacy': 'v_advocacy',
    'effort_hours_12m': 'effort_rank',
} %}

with

months as (
    select
        account_id,
        month_end_on,
        coalesce(segment, '(unknown)') as segment,
        closing_mrr_usd as mrr_usd,
        tenure_months,
        is_active,
        is_free
    from {{ ref('fct_account_months') }}
),

accounts as (
    select
        account_id,
        employee_count,
        acquisition_origin
    from {{ ref('dim_accounts') }}
),

segment_months as (
    select distinct
        segment,
        month_end_on
    from months
),

assumptions as (
    select
        segment_months.segment,
        segment_months.month_end_on,
        assumptions.gross_margin_rate,
        assumptions.cost_to_serve_usd_per_month,
        assumptions.target_ltv_to_cac,
        assumptions.addressable_seat_share,
        row_number() over (
            partition by segment_months.segment, segment_months.month_end_on
            order by assumptions.valid_from desc
        ) as newest_rank
    from segment_months
    inner join {{ ref('value_assumptions') }} as assumptions
        on
            segment_months.segment = assumptions.segment
            and segment_months.month_end_on >= assumptions.valid_from
),

costs as (
    select
        account_id,
        month_end_on,
        sum(cost_usd) as cost_usd,
        sum(case when cost_usd > 0 then 1 else 0 end) as costs_paid,
        max(case when is_allocated then 1 else 0 end) as is_allocated,
        min(case when opportunity_type = 'new_business' then cost_usd end) as first_cost_usd
    from {{ ref('int_account_acquisition_costs') }}
    group by account_id, month_end_on
),

-- Deals are often won in the month before service starts: what lies before the spine counts from
-- its first month on.
first_months as (
    select
        account_id,
        min(month_end_on) as first_month_end_on
    from months
    group by account_id
),

costs_in_life as (
    select
        costs.account_id,
        greatest(costs.month_end_on, first_months.first_month_end_on) as month_end_on,
        sum(costs.cost_usd) as cost_usd,
        sum(costs.costs_paid) as costs_paid,
        max(costs.is_allocated) as is_allocated,
        min(costs.first_cost_usd) as first_cost_usd
    from costs
    inner join first_months on costs.account_id = first_months.account_id
    group by costs.account_id, greatest(costs.month_end_on, first_months.first_month_end_on)
),

-- Costs are few and months are many: what had been paid so far stands until it changes.
costs_so_far as (
    select
        account_id,
        month_end_on as from_on,
        coalesce(
            lead(month_end_on) over (partition by account_id order by month_end_on),
            cast('9999-12-31' as date)
        ) as until_on,
        sum(cost_usd) over (
            partition by account_id
            order by month_end_on
            rows unbounded preceding
        ) as cac_total_usd,
        sum(costs_paid) over (
            partition by account_id
            order by month_end_on
            rows unbounded preceding
        ) as cac_paid_times,
        max(is_allocated) over (
            partition by account_id
            order by month_end_on
            rows unbounded preceding
        ) as is_allocated,
        min(first_cost_usd) over (
            partition by account_id
            order by month_end_on
            rows unbounded preceding
        ) as cac_usd
    from costs_in_life
),

profits_so_far as (
    select
        months.account_id,
        months.month_end_on,
        sum({{ exact('months.mrr_usd * assumptions.gross_margin_rate', 6) }}) over (
            partition by months.account_id
            order by months.month_end_on
            rows unbounded preceding
        ) as cumulative_gross_profit_usd,
        sum(case when months.is_free then 1 else 0 end) over (
            partition by months.account_id
            order by months.month_end_on
            rows unbounded preceding
        ) as free_months,
        row_number() over (
            partition by months.account_id
            order by months.month_end_on
        ) as life_months
    from months
    inner join assumptions
        on
            months.segment = assumptions.segment
            and months.month_end_on = assumptions.month_end_on
            and assumptions.newest_rank = 1
),

earned as (
    select
        profits_so_far.account_id,
        profits_so_far.month_end_on,
        profits_so_far.cumulative_gross_profit_usd,
        profits_so_far.free_months,
        profits_so_far.life_months,
        costs_so_far.cac_total_usd,
        costs_so_far.cac_paid_times,
        costs_so_far.is_allocated,
        costs_so_far.cac_usd
    from profits_so_far
    left join costs_so_far
        on
            profits_so_far.account_id = costs_so_far.account_id
            and profits_so_far.month_end_on >= costs_so_far.from_on
            and profits_so_far.month_end_on < costs_so_far.until_on
),

-- The first month in which the profit so far covered the cost so far.
paid_back as (
    select
        account_id,
        min(life_months) as payback_months
    from earned
    where cumulative_gross_profit_usd >= cac_total_usd
    group by account_id
),

retention as (
    select
        now.segment,
        now.month_end_on,
        sum(now.mrr_usd) / nullif(sum(before.mrr_usd), 0) as net_retention_12m
    from months as now
    inner join months as before
        on
            now.account_id = before.account_id
            and before.month_end_on = {{ month_end(months_after('now.month_end_on', -12)) }}
            and before.mrr_usd > 0
    group by now.segment, now.month_end_on
),

satisfaction as (
    select
        months.segment,
        months.month_end_on,
        1.0 * sum(surveys.nps_promoters_12m - surveys.nps_detractors_12m)
        / nullif(sum(surveys.nps_responses_12m), 0) as nps_12m
    from months
    inner join {{ ref('int_survey_account_months') }} as surveys
        on
            months.account_id = surveys.account_id
            and months.month_end_on = surveys.observed_on
    where months.is_active
    group by months.segment, months.month_end_on
),

valued as (
    select
        months.account_id,
        months.month_end_on,
        months.segment,
        months.tenure_months,
        months.mrr_usd,
        accounts.acquisition_origin,
        survival.next_due_on,
        survival.scored_on,
        factors.next_renewal_basis,
        survival.tail_basis,
        factors.p_lost_next_renewal,
        factors.default_hazard_12m,
        factors.expected_months,
        factors.present_value_factor,
        factors.horizon_months,
        factors.discount_factor,
        assumptions.gross_margin_rate,
        assumptions.target_ltv_to_cac,
        months.mrr_usd * factors.present_value_factor as bond_price_usd,
        (months.mrr_usd * assumptions.gross_margin_rate - assumptions.cost_to_serve_usd_per_month)
        * factors.present_value_factor as clv_usd,
        months.mrr_usd * assumptions.gross_margin_rate * factors.present_value_factor
            as gross_profit_pv_usd,
        months.mrr_usd * factors.expected_months as current_10y_usd,
        usage.licences,
        -- Spelt out, as greatest() passes over what is not known.
        case
            when
                floor(accounts.employee_count * assumptions.addressable_seat_share)
                <= usage.licences
                then 0
            else floor(accounts.employee_count * assumptions.addressable_seat_share)
                - usage.licences
        end as seat_whitespace,
        months.mrr_usd / nullif(usage.licences, 0) as price_per_seat_usd,
        cases.feature_requests_12m + 2 * cases.bugs_confirmed_12m as product_feedback,
        novelty.novelty_score as innovation,
        surveys.nps_last_score,
        -- A competitor's people in the customer's network count; where nobody listens nothing is
        -- known.
        -1.0 * voice.competitor_connections_12m as exclusivity,
        voice.advocacy_acts_24m as advocacy,
        touches.effort_hours_12m
    from months
    inner join assumptions
        on
            months.segment = assumptions.segment
            and months.month_end_on = assumptions.month_end_on
            and assumptions.newest_rank = 1
    inner join accounts on months.account_id = accounts.account_id
    left join {{ ref('int_account_survival') }} as survival
        on
            months.account_id = survival.account_id
            and months.month_end_on = survival.observed_on
    left join {{ ref('int_account_value_factors') }} as factors
        on
            months.account_id = factors.account_id
            and months.month_end_on = factors.observed_on
    left join {{ ref('int_usage_account_months') }} as usage
        on
            months.account_id = usage.account_id
            and months.month_end_on = usage.observed_on
    left join {{ ref('int_case_account_months') }} as cases
        on
            months.account_id = cases.account_id
            and months.month_end_on = cases.observed_on
    left join {{ ref('int_novelty_account_months') }} as novelty
        on
            months.account_id = novelty.account_id
            and months.month_end_on = novelty.observed_on
    left join {{ ref('int_survey_account_months') }} as surveys
        on
            months.account_id = surveys.account_id
            and months.month_end_on = surveys.observed_on
    left join {{ ref('int_voice_account_months') }} as voice
        on
            months.account_id = voice.account_id
            and months.month_end_on = voice.observed_on
    left join {{ ref('int_touch_account_months') }} as touches
        on
            months.account_id = touches.account_id
            and months.month_end_on = touches.observed_on
    where months.is_active
),

{{ percentile_ctes('valued', ranks | list) }}

ranked as (
    select
        {% for measure, rank in ranks.items() -%}
            by_{{ measure }}.percentile as {{ rank }},
        {% endfor -%}
        valued.*
    from valued
    {% for measure in ranks -%}
        left join by_{{ measure }}
            on
                valued.month_end_on = by_{{ measure }}.month_end_on
                and valued.{{ measure }} = by_{{ measure }}.measure
    {% endfor %}
),

-- Devotion is staying, and liking it: half tenure, half the newest NPS answer; tenure alone where
-- nobody answered.
dimensions as (
    select
        *,
        case
            when nps_last_score is null then tenure_rank
            else 0.5 * tenure_rank + 0.05 * nps_last_score
        end as v_devotion
    from ranked
),

weights as (
    select
    {% for dimension in dimensions -%}
            max(case when dimension = '{{ dimension }}' then weight end) as {{ dimension }},
            max(case when dimension = '{{ dimension }}' then label end) as {{ dimension }}_label
            {{- ',' if not loop.last }}
    {% endfor %}
    from {{ ref('value_dimension_weights') }}
),

weighed as (
    select
        dimensions.*,
        {% for dimension in dimensions -%}
            coalesce(weights.{{ dimension }} * dimensions.v_{{ dimension }}, 0.0)
            {{- ' + ' if not loop.last }}
        {% endfor %} as points,
        {% for dimension in dimensions -%}
            case
                when dimensions.v_{{ dimension }} is not null then weights.{{ dimension }} else 0.0
            end
            {{- ' + ' if not loop.last }}
        {% endfor %} as weight_known,
        {% for dimension in dimensions -%}
            case when dimensions.v_{{ dimension }} is not null then 1 else 0 end
            {{- ' + ' if not loop.last }}
        {% endfor %} as dimensions_known
    from dimensions
    cross join weights
),

-- Unknown dimensions hand their weight to the known ones; the money alone is no true value.
scored as (
    select
        *,
        case when dimensions_known >= 2 and v_clv is not null then points / weight_known end
            as true_value_score
    from weighed
),

-- What each dimension gives to the score.
contributions as (
    select
        scored.*,
        {{ labelled_points(dimensions) }}
    from scored
    cross join weights
),

ordered as (
    select
        *,
        {{ places_among(dimensions) }}
    from contributions
),

clv_places as (
    {{ places_by('scored', 'round(clv_usd, 2)') }}
),

true_value_places as (
    {{ places_by('scored', 'round(true_value_score, 9)') }}
),

true_value_percentiles as (
    {{ percentiles_among('scored', 'true_value_score') }}
),

month_totals as (
    select
        month_end_on,
        {{ exact_sum('effort_hours_12m') }} as effort_hours_12m,
        {{ exact_sum('true_value_score') }} as true_value_score
    from scored
    group by month_end_on
),

placed as (
    select
        ordered.*,
        {{ label_in_place(1, dimensions) }} as top_reason_1,
        {{ label_in_place(2, dimensions) }} as top_reason_2,
        {{ label_in_place(3, dimensions) }} as top_reason_3,
        true_value_places.place as true_value_rank,
        clv_places.place as clv_rank,
        true_value_percentiles.percentile as true_value_percentile,
        month_totals.effort_hours_12m / 12.0
        * ordered.true_value_score
        / nullif(month_totals.true_value_score, 0) as recommended_hours
    from ordered
    inner join month_totals on ordered.month_end_on = month_totals.month_end_on
    left join clv_places
        on
            ordered.month_end_on = clv_places.month_end_on
            and round(ordered.clv_usd, 2) = clv_places.measure
    left join true_value_places
        on
            ordered.month_end_on = true_value_places.month_end_on
            and round(ordered.true_value_score, 9) = true_value_places.measure
    left join true_value_percentiles
        on
            ordered.month_end_on = true_value_percentiles.month_end_on
            and ordered.true_value_score = true_value_percentiles.measure
)

select
    placed.account_id,
    placed.month_end_on,
    placed.next_due_on,
    placed.scored_on,
    placed.segment,
    placed.acquisition_origin,
    placed.next_renewal_basis,
    placed.tail_basis,
    placed.tenure_months,
    placed.mrr_usd as coupon_mrr_usd,
    {{ stable('placed.p_lost_next_renewal') }} as p_lost_next_renewal,
    {{ stable('placed.default_hazard_12m') }} as default_hazard_12m,
    {{ stable('placed.expected_months', 6) }} as expected_months,
    cast(round(placed.bond_price_usd, 2) as decimal(18, 2)) as bond_price_usd,
    cast(round(placed.clv_usd, 2) as decimal(18, 2)) as clv_npv_usd,
    cast(round(placed.gross_profit_pv_usd, 2) as decimal(18, 2)) as gross_profit_10y_usd,
    cast(round(placed.gross_profit_pv_usd / placed.target_ltv_to_cac, 2) as decimal(18, 2))
        as max_cac_usd,
    cast(earned.cac_usd as decimal(18, 2)) as cac_usd,
    cast(earned.cac_total_usd as decimal(18, 2)) as cac_total_usd,
    cast(earned.cac_paid_times as bigint) as cac_paid_times,
    cast(
        round(
            placed.gross_profit_pv_usd / placed.target_ltv_to_cac - earned.cac_total_usd, 2
        ) as decimal(18, 2)
    )
        as cac_headroom_usd,
    cast(round(placed.clv_usd - earned.cac_total_usd, 2) as decimal(18, 2)) as npv_net_of_cac_usd,
    {{ stable('placed.clv_usd / nullif(earned.cac_total_usd, 0)') }} as ltv_to_cac,
    cast(round(earned.cumulative_gross_profit_usd, 2) as decimal(18, 2))
        as cumulative_gross_profit_usd,
    case
        when earned.life_months >= paid_back.payback_months
            then cast(paid_back.payback_months as bigint)
    end as payback_months,
    cast(earned.free_months as bigint) as free_months,
    case
        when
            placed.acquisition_origin = 'rip_and_replace'
            and earned.life_months >= paid_back.payback_months
            then cast(paid_back.payback_months as bigint)
    end as rip_and_replace_breakeven_month,
    cast(placed.licences as bigint) as licences,
    cast(placed.seat_whitespace as bigint) as seat_whitespace,
    cast(round(placed.price_per_seat_usd, 2) as decimal(18, 2)) as price_per_seat_usd,
    cast(round(placed.current_10y_usd, 2) as decimal(18, 2)) as current_10y_usd,
    cast(
        round(
            placed.seat_whitespace * placed.price_per_seat_usd * placed.expected_months, 2
        ) as decimal(18, 2)
    ) as potential_10y_usd,
    {{ stable(
        '1.0 + placed.seat_whitespace * placed.price_per_seat_usd * placed.expected_months'
        ~ ' / nullif(placed.current_10y_usd, 0)'
    ) }} as potential_multiple,
    {{ stable('placed.v_clv') }} as v_clv,
    {{ stable('placed.v_product_feedback') }} as v_product_feedback,
    {{ stable('placed.v_innovation') }} as v_innovation,
    {{ stable('placed.v_devotion') }} as v_devotion,
    {{ stable('placed.v_exclusivity') }} as v_exclusivity,
    {{ stable('placed.v_advocacy') }} as v_advocacy,
    cast(placed.dimensions_known as bigint) as dimensions_known,
    {{ stable('placed.true_value_score') }} as true_value_score,
    {{ stable('placed.true_value_score - year_before.true_value_score') }} as true_value_delta_12m,
    cast(placed.clv_rank as bigint) as clv_rank,
    cast(placed.true_value_rank as bigint) as true_value_rank,
    cast(placed.clv_rank - placed.true_value_rank as bigint) as rank_gap,
    placed.top_reason_1,
    placed.top_reason_2,
    placed.top_reason_3,
    {{ stable('placed.effort_hours_12m', 6) }} as effort_hours_12m,
    {{ stable('placed.effort_rank - placed.true_value_percentile') }} as effort_vs_value_gap,
    {{ stable('placed.recommended_hours', 6) }} as recommended_hours,
    {{ stable('retention.net_retention_12m') }} as segment_net_retention_12m,
    {{ stable('satisfaction.nps_12m') }} as segment_nps_12m,
    earned.is_allocated = 1 as is_cac_allocated,
    earned.cumulative_gross_profit_usd >= earned.cac_total_usd as is_paid_back,
    retention.net_retention_12m >= 1.20 and satisfaction.nps_12m >= 0.50 as has_winning_formula
from placed
inner join earned
    on
        placed.account_id = earned.account_id
        and placed.month_end_on = earned.month_end_on
left join paid_back on placed.account_id = paid_back.account_id
left join scored as year_before
    on
        placed.account_id = year_before.account_id
        and year_before.month_end_on = {{ month_end(months_after('placed.month_end_on', -12)) }}
left join retention
    on
        placed.segment = retention.segment
        and placed.month_end_on = retention.month_end_on
left join satisfaction
    on
        placed.segment = satisfaction.segment
        and placed.month_end_on = satisfaction.month_end_on
