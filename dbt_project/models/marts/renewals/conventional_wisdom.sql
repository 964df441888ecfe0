{# Days before the due date from which a contract is looked at. #}
{% set lead_days = 90 %}
{# Fewer contracts on either side, or fewer losses in all, say nothing. #}
{% set least_terms, least_losses = 30, 10 %}
{# Each belief about contracts: who is exposed; null where nobody knows. #}
{% set exposures = {
    'visited': 'touches.visits_12m > 0',
    'satisfied': 'relationships.user_csat >= 4',
    'promoters': 'surveys.nps_last_score >= 9',
    'no_tickets': 'cases.cases_opened_12m = 0',
    'used': 'usage.utilisation_rate >= 0.8',
    'executive_spoken': 'touches.two_way_director_touches_12m > 0'
        ~ ' and coalesce(touches.days_since_two_way_director_touch <= 180, false)',
    'champion_missing': 'relationships.is_champion_or_sponsor_missing',
    'single_threaded': 'relationships.is_single_threaded',
    'value_told': 'touches.value_reports_12m > 0',
    'discounted': 'contracts.discount_rate > 0',
    'large': "case when terms.segment <> '(unknown)' then terms.segment = 'enterprise' end",
    'alumni_led': "case terms.acquisition_origin when 'alumni_led' then true"
        ~ " when 'new_prospect' then false end",
    'boomerang': "case terms.acquisition_origin when 'boomerang' then true"
        ~ " when 'new_prospect' then false end",
    'first_renewal': 'terms.cycle_number = 1',
    'people_beside_use': 'case when usage.utilisation_rate >= 0.5 then'
        ~ ' touches.two_way_director_touches_12m > 0'
        ~ ' and coalesce(touches.days_since_two_way_director_touch <= 180, false) end',
    'silent': 'case when voice.is_indifferent then true'
        ~ ' when surveys.nps_last_score <= 6 then false end',
    'measured': 'case when success.measures_defined is not null'
        ~ ' then success.is_measured_within_90d end',
    'reached': 'case when success.is_measured_within_90d then success.attainment >= 1 end',
    'service_rescues': 'case when not success.is_primary_need_met'
        ~ ' then relationships.user_csat >= 4 end',
    'over_delivered': 'case when signals.competitor_signals_12m > 0'
        ~ ' then success.attainment > 1 end',
    'community': 'voice.community_engagements_12m > 0',
    'social': 'touches.social_touches_12m > 0',
    'merged': 'merged.first_merged_on is not null and merged.first_merged_on <= terms.observed_on',
} %}
with

beliefs as (
    select
        belief_id,
        belief,
        exposed,
        expected_sign,
        source
    from {{ ref('beliefs') }}
),

-- A rolling month is decided by nobody.
terms as (
    select
        contract_term_id,
        account_id,
        {{ last_month_end(days_after('due_on', 0 - lead_days)) }} as observed_on,
        coalesce(segment, '(unknown)') as segment,
        acquisition_origin,
        cycle_number,
        is_lost
    from {{ ref('renewals') }}
    where (is_renewed or is_lost) and not is_evergreen and not is_involuntary
),

relationships as (
    select
        account_id,
        observed_on,
        disconnection_index,
        user_csat,
        is_champion_or_sponsor_missing,
        is_single_threaded
    from {{ ref('relationships') }}
),

touches as (
    select
        account_id,
        observed_on,
        visits_12m,
        value_reports_12m,
        social_touches_12m,
        two_way_director_touches_12m,
        days_since_two_way_director_touch
    from {{ ref('int_touch_account_months') }}
),

surveys as (
    select
        account_id,
        observed_on,
        nps_last_score
    from {{ ref('int_survey_account_months') }}
),

cases as (
    select
        account_id,
        observed_on,
        cases_opened_12m
    from {{ ref('int_case_account_months') }}
),

usage as (
    select
        account_id,
        observed_on,
        utilisation_rate
    from {{ ref('int_usage_account_months') }}
),

contracts as (
    select
        account_id,
        observed_on,
        discount_rate
    from {{ ref('int_contract_account_months') }}
),

success as (
    select
        account_id,
        observed_on,
        measures_defined,
        attainment,
        is_measured_within_90d,
        is_primary_need_met
    from {{ ref('int_success_account_months') }}
),

signals as (
    select
        account_id,
        observed_on,
        competitor_signals_12m
    from {{ ref('int_signal_account_months') }}
),

voice as (
    select
        account_id,
        month_end_on as observed_on,
        community_engagements_12m,
        is_indifferent
    from {{ ref('voice') }}
),

-- Contracts came over from an account that was merged into this one.
merged as (
    select
        surviving_account_id as account_id,
        min(month) as first_merged_on
    from {{ ref('fct_mrr_movements') }}
    where movement_type = 'merge_transfer' and amount_usd > 0
    group by surviving_account_id
),

advocacy as (
    select
        account_id,
        occurred_on
    from {{ ref('fct_advocacy') }}
    where account_id is not null
),

advocacy_recorded as (
    select min(occurred_on) as from_on
    from advocacy
),

-- Whoever spoke for us in the year after the look.
spoken as (
    select distinct terms.contract_term_id
    from terms
    inner join advocacy
        on
            terms.account_id = advocacy.account_id
            and terms.observed_on < advocacy.occurred_on
            and {{ days_after('terms.observed_on', 365) }} >= advocacy.occurred_on
),

quarters as (
    select
        cost_to_retain_per_arr,
        cost_to_acquire_per_arr,
        {{ exact('cost_to_retain_per_arr - cost_to_acquire_per_arr') }} as difference
    from {{ ref('accountability') }}
    where
        function = '(all)'
        and is_quarter_over
        and cost_to_retain_per_arr is not null
        and cost_to_acquire_per_arr is not null
),

seen as (
    select
        terms.contract_term_id,
        {% for belief, exposure in exposures.items() -%}
            {{ exposure }} as {{ belief }},
        {% endfor -%}
        relationships.disconnection_index < 0.5 and success.attainment >= 0.5 as by_product,
        case
            when
                terms.observed_on >= advocacy_recorded.from_on
                and {{ days_after('terms.observed_on', 365) }} <= {{ as_of_date() }}
                then spoken.contract_term_id is not null
        end as has_spoken,
        terms.segment,
        terms.is_lost
    from terms
    cross join advocacy_recorded
    left join spoken on terms.contract_term_id = spoken.contract_term_id
    left join merged on terms.account_id = merged.account_id
    {% for part in [
        'relationships', 'touches', 'surveys', 'cases', 'usage', 'contracts', 'success', 'signals',
        'voice',
    ] -%}
        left join {{ part }}
            on
                terms.account_id = {{ part }}.account_id
                and terms.observed_on = {{ part }}.observed_on
    {% endfor %}
),

-- Compared within segments, but for the belief that is about them.
compared as (
    {%- for belief in exposures %}
        select
            '{{ belief }}' as belief_id,
            {{ "'(all)'" if belief == 'large' else 'segment' }} as stratum,
            is_lost,
            {{ belief }} as is_exposed
        from seen
        where {{ belief }} is not null
        {{ 'union all' if not loop.last }}
    {%- endfor %}
    union all
    -- Here what follows is no loss: they speak for us.
    select
        'by_product' as belief_id,
        segment as stratum,
        has_spoken as is_lost,
        by_product as is_exposed
    from seen
    where by_product is not null and has_spoken is not null
),

strata as (
    select
        belief_id,
        stratum,
        1.0 * count(*) as n,
        1.0 * count(case when is_exposed then 1 end) as n1,
        1.0 * count(case when not is_exposed then 1 end) as n0,
        1.0 * count(case when is_exposed and is_lost then 1 end) as a,
        1.0 * count(case when not is_exposed and is_lost then 1 end) as b
    from compared
    group by belief_id, stratum
),

-- Mantel and Haenszel's difference of risks with Sato's variance (Biometrics 45, 1989).
summed as (
    select
        belief_id,
        sum(n1) as terms_exposed,
        sum(n0) as terms_unexposed,
        sum(a) as losses_exposed,
        sum(b) as losses_unexposed,
        {{ exact_sum('n1 * n0 / n') }} as weight,
        {{ exact_sum('(a * n0 - b * n1) / n') }} as weighed_difference,
        {{ exact_sum('(n1 * n1 * b - n0 * n0 * a + n1 * n0 * (n0 - n1) / 2) / (n * n)') }}
            as p,
        {{ exact_sum('(a * (n0 - b) + b * (n1 - a)) / (2 * n)') }} as q
    from strata
    group by belief_id
),

effects as (
    select
        belief_id,
        case belief_id
            when 'by_product' then 'share that spoke for us' else 'share of renewals lost'
        end as unit,
        terms_exposed,
        terms_unexposed,
        losses_exposed + losses_unexposed as losses,
        case when terms_exposed > 0 then losses_exposed / terms_exposed end as rate_exposed,
        case when terms_unexposed > 0 then losses_unexposed / terms_unexposed end
            as rate_unexposed,
        case when weight > 0 then weighed_difference / weight end as effect,
        case
            when weight > 0
                then sqrt(greatest(weighed_difference / weight * p + q, 0)) / weight
        end as standard_error
    from summed
    union all
    select
        'cheaper_to_keep' as belief_id,
        'usd per usd a year' as unit,
        count(*) as terms_exposed,
        count(*) as terms_unexposed,
        cast(null as double) as losses,
        avg({{ exact('cost_to_retain_per_arr') }}) as rate_exposed,
        avg({{ exact('cost_to_acquire_per_arr') }}) as rate_unexposed,
        avg(difference) as effect,
        case when count(*) > 1 then stddev_samp(difference) / sqrt(count(*)) end as standard_error
    from quarters
),

bounded as (
    select
        beliefs.belief_id,
        beliefs.belief,
        beliefs.exposed,
        beliefs.source,
        beliefs.expected_sign,
        effects.unit,
        effects.terms_exposed,
        effects.terms_unexposed,
        effects.losses,
        effects.rate_exposed,
        effects.rate_unexposed,
        effects.effect,
        effects.effect - 1.959963985 * effects.standard_error as effect_low,
        effects.effect + 1.959963985 * effects.standard_error as effect_high,
        case
            when effects.belief_id is null then false
            when effects.belief_id = 'cheaper_to_keep' then effects.terms_exposed >= 8
            else
                least(effects.terms_exposed, effects.terms_unexposed) >= {{ least_terms }}
                and effects.losses >= {{ least_losses }}
        end as is_enough
    from beliefs
    left join effects on beliefs.belief_id = effects.belief_id
)

select
    belief_id,
    belief,
    exposed,
    source,
    unit,
    case
        when not is_enough then 'too_few'
        when expected_sign * effect > 0 and effect_low * effect_high > 0 then 'holds'
        when expected_sign * effect < 0 and effect_low * effect_high > 0 then 'defied'
        else 'not_confirmed'
    end as verdict,
    expected_sign,
    cast(coalesce(terms_exposed, 0) as bigint) as n_exposed,
    cast(coalesce(terms_unexposed, 0) as bigint) as n_unexposed,
    cast(losses as bigint) as losses,
    {{ stable('rate_exposed') }} as rate_exposed,
    {{ stable('rate_unexposed') }} as rate_unexposed,
    case when is_enough then {{ stable('effect') }} end as observed_effect,
    case when is_enough then {{ stable('effect_low') }} end as effect_low,
    case when is_enough then {{ stable('effect_high') }} end as effect_high
from bounded
