{# Days from a forecast to the due date. #}
{% set lead_buckets = [(1, 60), (61, 120), (121, 240)] %}
{% set bands = ['high', 'medium', 'low'] %}
{# With fewer outcomes of one kind any of the measures can be luck. #}
{% set smallest_group = 20 %}
{% set smallest_outcome = 5 %}
{% set keys = ['forecaster_type', 'forecaster', 'basis', 'due_quarter_end_on', 'lead_bucket'] %}
{% set key_list = keys | join(', ') %}
with

account_map as (
    select
        source_account_id,
        account_id
    from {{ ref('int_account_map') }}
),

-- A term could be forecast until its service ended or something took its place.
terms as (
    select
        contract_term_id,
        account_id,
        started_on,
        due_on,
        case
            when outcome in ('lost', 'pending', 'renewed_late') then coalesce(ended_on, due_on)
            when outcome = 'paused' then due_on
            else renewed_on
        end as decided_on,
        case when outcome = 'lost' then notice_on end as loss_notice_on,
        case when outcome = 'lost' then 1 else 0 end as is_lost,
        -- Losses can be final before their due date, renewals rarely: a quarter counted before its
        -- grace is over would hold the losses only.
        is_final
        and outcome not in ('open', 'pending', 'paused', 'superseded')
        and {{ days_after('due_on', var('renewal_grace_days')) }} <= {{ as_of_date() }}
            as is_decided
    from {{ ref('fct_contract_terms') }}
),

scores as (
    select
        account_map.account_id,
        scores.head,
        scores.as_of as forecast_on,
        scores.p,
        scores.band,
        scores.serves,
        scores.model_version,
        scores.account_id as scored_account_id,
        case when scores.is_backfill then 'walk_forward' else 'live' end as basis
    from {{ ref('stg_scores__churn_score_history') }} as scores
    inner join account_map on scores.account_id = account_map.source_account_id
    -- Each of these heads speaks of a renewal; the one about the coming month speaks of a month.
    where scores.p is not null and scores.head in ('next_renewal', 'sign_today')
),

-- What somebody wrote down later was no forecast before.
assessments as (
    select
        risk_assessment_id,
        account_id,
        employee_id,
        greatest(assessed_on, {{ utc_date('known_at') }}) as forecast_on,
        1 - sign_today_share as p,
        is_below_half
    from {{ ref('fct_risk_assessments') }}
    where account_id is not null and sign_today_share is not null
),

forecasts as (
    select
        'model' as forecaster_type,
        head as forecaster,
        basis,
        account_id,
        forecast_on,
        scored_account_id as forecast_id,
        model_version,
        band,
        p,
        band = 'high' as is_flagged,
        serves <> 'model' as is_stand_in
    from scores
    {%- for forecaster_type, forecaster in [
        ('people', "'all_people'"), ('person', 'employee_id')
    ] %}
        union all
        select
            '{{ forecaster_type }}' as forecaster_type,
            {{ forecaster }} as forecaster,
            'live' as basis,
            account_id,
            forecast_on,
            risk_assessment_id as forecast_id,
            cast(null as {{ dbt.type_string() }}) as model_version,
            cast(null as {{ dbt.type_string() }}) as band,
            p,
            is_below_half as is_flagged,
            false as is_stand_in
        from assessments
        where {{ forecaster }} is not null
    {%- endfor %}
),

account_days as (
    select distinct
        account_id,
        forecast_on
    from forecasts
),

-- Several contracts: the next one due is the renewal that was asked about.
asked_about as (
    select
        account_days.account_id,
        account_days.forecast_on,
        terms.contract_term_id,
        row_number() over (
            partition by account_days.account_id, account_days.forecast_on
            order by terms.due_on, terms.contract_term_id
        ) as due_rank
    from account_days
    inner join terms
        on
            account_days.account_id = terms.account_id
            and account_days.forecast_on >= terms.started_on
            and (terms.decided_on is null or account_days.forecast_on < terms.decided_on)
),

lead_buckets as (
    {%- for first_day, last_day in lead_buckets %}
        select
            '{{ first_day }}-{{ last_day }}' as lead_bucket,
            {{ first_day }} as lead_days_from,
            {{ last_day }} as lead_days_to
        {{ 'union all' if not loop.last }}
    {%- endfor %}
),

-- Once notice is given there is nothing left to forecast.
decided as (
    select
        asked_about.account_id,
        asked_about.forecast_on,
        terms.contract_term_id,
        terms.is_lost,
        cast({{ dbt.last_day('terms.due_on', 'quarter') }} as date) as due_quarter_end_on,
        lead_buckets.lead_bucket,
        lead_buckets.lead_days_from
    from asked_about
    inner join terms on asked_about.contract_term_id = terms.contract_term_id
    inner join lead_buckets
        on
            {{ dbt.datediff('asked_about.forecast_on', 'terms.due_on', 'day') }}
            between lead_buckets.lead_days_from and lead_buckets.lead_days_to
    where
        asked_about.due_rank = 1
        and terms.is_decided
        and (terms.loss_notice_on is null or asked_about.forecast_on < terms.loss_notice_on)
),

-- Nightly forecasts of one renewal are one forecast, told many times: the last one counts.
last_words as (
    select
        forecasts.forecaster_type,
        forecasts.forecaster,
        forecasts.basis,
        decided.due_quarter_end_on,
        decided.lead_bucket,
        decided.lead_days_from,
        decided.contract_term_id,
        decided.is_lost,
        forecasts.model_version,
        forecasts.band,
        forecasts.is_flagged,
        forecasts.is_stand_in,
        {{ stable('forecasts.p') }} as p,
        row_number() over (
            partition by
                forecasts.forecaster_type, forecasts.forecaster, forecasts.basis,
                decided.contract_term_id, decided.lead_bucket
            order by forecasts.forecast_on desc, forecasts.forecast_id desc
        ) as newest_rank
    from forecasts
    inner join decided
        on
            forecasts.account_id = decided.account_id
            and forecasts.forecast_on = decided.forecast_on
),

ranked as (
    select
        {{ key_list }},
        lead_days_from,
        model_version,
        band,
        is_lost,
        is_flagged,
        is_stand_in,
        p,
        count(*) over (partition by {{ key_list }}) as forecasts_in_group,
        count(*) over (partition by {{ key_list }}, p) as tied,
        rank() over (partition by {{ key_list }} order by p desc) as rank_down,
        ntile(10) over (partition by {{ key_list }} order by p, contract_term_id) as bin
    from last_words
    where newest_rank = 1
),

bins as (
    select
        {{ key_list }},
        bin,
        abs(sum({{ exact('p') }}) - sum(is_lost)) as bin_error
    from ranked
    group by {{ key_list }}, bin
),

calibration as (
    select
        {{ key_list }},
        sum(bin_error) as bin_error
    from bins
    group by {{ key_list }}
),

measured as (
    select
        {{ key_list }},
        lead_days_from,
        forecasts_in_group as renewals,
        {%- for band in bands %}
            sum(case when band = '{{ band }}' then 1 else 0 end) as {{ band }}_band_renewals,
            sum(case when band = '{{ band }}' then is_lost else 0 end) as {{ band }}_band_losses,
        {%- endfor %}
        sum(case when is_stand_in then 1 else 0 end) as renewals_by_segment_rate,
        sum(case when is_flagged then 1 else 0 end) as renewals_flagged,
        sum(case when is_flagged then is_lost else 0 end) as losses_flagged,
        count(distinct model_version) as model_versions,
        avg({{ exact('p') }}) as mean_p,
        cast(avg({{ exact('is_lost') }}) as double) as base_rate,
        {{ exact_sum(log_loss_of('p', 'is_lost')) }} / forecasts_in_group as log_loss,
        {{ brier_score('p', 'is_lost') }} as brier_score,
        {{ area_under_curve('rank_down', 'tied', 'is_lost') }} as auc,
        greatest(1, round(forecasts_in_group / 10.0)) as top_places,
        {{ exact_sum(
            'is_lost * '
            ~ share_in_top('rank_down', 'tied', 'greatest(1, round(forecasts_in_group / 10.0))')
        ) }} as losses_in_top,
        sum(is_lost) as losses
    from ranked
    group by {{ key_list }}, lead_days_from, forecasts_in_group
),

{{ calibration_lines('lines', 'ranked', keys) }},

rated as (
    select
        {% for key in keys -%}
            measured.{{ key }},
        {% endfor -%}
        {% for band in bands -%}
            nullif(measured.{{ band }}_band_renewals, 0) as {{ band }}_trials,
            cast(measured.{{ band }}_band_losses as double)
            / nullif(measured.{{ band }}_band_renewals, 0) as {{ band }}_rate,
        {% endfor -%}
        calibration.bin_error,
        lines.slope
    from measured
    inner join calibration
        on
            measured.forecaster_type = calibration.forecaster_type
            and measured.forecaster = calibration.forecaster
            and measured.basis = calibration.basis
            and measured.due_quarter_end_on = calibration.due_quarter_end_on
            and measured.lead_bucket = calibration.lead_bucket
    left join lines
        on
            measured.forecaster_type = lines.forecaster_type
            and measured.forecaster = lines.forecaster
            and measured.basis = lines.basis
            and measured.due_quarter_end_on = lines.due_quarter_end_on
            and measured.lead_bucket = lines.lead_bucket
)

select
    measured.forecaster_type,
    measured.forecaster,
    measured.basis,
    measured.due_quarter_end_on,
    measured.lead_bucket,
    cast(measured.lead_days_from as bigint) as lead_days_from,
    cast(measured.model_versions as bigint) as model_versions,
    cast(measured.renewals as bigint) as renewals,
    cast(measured.losses as bigint) as losses,
    cast(measured.renewals_by_segment_rate as bigint) as renewals_by_segment_rate,
    {{ stable('measured.base_rate') }} as base_rate,
    {{ stable('measured.mean_p') }} as mean_p_lost,
    {{ stable('measured.mean_p - measured.base_rate') }} as calibration_in_the_large,
    {{ stable('rated.slope', 6) }} as calibration_slope,
    {{ share_of('rated.bin_error', 'measured.renewals') }} as ece,
    {{ stable('measured.log_loss') }} as log_loss,
    {{ stable('measured.brier_score') }} as brier_score,
    {{ stable(
        '1 - measured.brier_score / nullif(measured.base_rate * (1 - measured.base_rate), 0)'
    ) }} as brier_skill,
    {{ stable('measured.auc') }} as auc,
    {{ stable('measured.losses_in_top / measured.top_places / nullif(measured.base_rate, 0)') }}
        as top_decile_lift,
    cast(measured.renewals_flagged as bigint) as renewals_flagged,
    {{ share_of('measured.renewals_flagged', 'measured.renewals') }} as flagged_share,
    {{ share_of('measured.losses_flagged', 'measured.renewals_flagged') }} as flag_precision_rate,
    {{ share_of('measured.losses_flagged', 'measured.losses') }} as losses_flagged_rate,
    {%- for band in bands %}
        {% set share, trials = 'rated.' ~ band ~ '_rate', 'rated.' ~ band ~ '_trials' -%}
        cast(measured.{{ band }}_band_renewals as bigint) as {{ band }}_band_renewals,
        {{ stable(share) }} as {{ band }}_band_loss_rate,
        {{ stable(wilson_end(share, trials, '-')) }} as {{ band }}_band_loss_rate_low,
        {{ stable(wilson_end(share, trials, '+')) }} as {{ band }}_band_loss_rate_high,
    {%- endfor %}
    case
        when rated.low_rate > rated.medium_rate or rated.medium_rate > rated.high_rate then false
        when rated.low_rate > rated.high_rate then false
        when rated.low_rate + rated.medium_rate + rated.high_rate is not null then true
    end as is_band_order_kept,
    measured.renewals >= {{ smallest_group }}
    and measured.losses >= {{ smallest_outcome }}
    and measured.renewals - measured.losses >= {{ smallest_outcome }} as is_reportable
from measured
inner join rated
    on
        measured.forecaster_type = rated.forecaster_type
        and measured.forecaster = rated.forecaster
        and measured.basis = rated.basis
        and measured.due_quarter_end_on = rated.due_quarter_end_on
        and measured.lead_bucket = rated.lead_bucket
