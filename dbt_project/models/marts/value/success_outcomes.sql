{# Measurements of one measure from which on a correlation says anything. #}
{% set enough_measurements = 4 %}
with

numbers as (
    {{ thousand_numbers() }}
),

-- The first year is asked for in any case; later checkpoints stand where somebody measured.
checkpoints as (
    select 3 * n as checkpoint_month
    from numbers
    where n <= 4
),

accounts as (
    select
        account_map.source_account_id,
        account_map.account_id,
        dim_accounts.segment
    from {{ ref('int_account_map') }} as account_map
    left join {{ ref('dim_accounts') }} as dim_accounts
        on account_map.account_id = dim_accounts.account_id
    where not account_map.is_test
),

starts as (
    select
        account_id,
        min(life_started_on) as started_on
    from {{ ref('int_account_observations') }}
    group by account_id
),

months as (
    select
        account_id,
        month_end_on,
        is_active
    from {{ ref('fct_account_months') }}
),

measures as (
    select
        measures.success_measure_id,
        accounts.account_id,
        accounts.segment,
        measures.measure_name,
        measures.vendor_metric,
        measures.direction,
        measures.unit,
        measures.stakeholder_level,
        measures.asked_at,
        measures.baseline,
        measures.target,
        measures.is_purchase_reason,
        measures.defined_on,
        measures.confirmed_on,
        starts.started_on,
        -- What has no number agreed can neither be reached nor missed.
        case
            when not measures.is_quantified then 'unmeasurable'
            else qualities.measure_quality
        end as measure_quality,
        lower(trim(measures.vendor_metric)) = lower(trim(measures.measure_name))
            as is_customer_metric
    from {{ ref('input_success_measures') }} as measures
    inner join accounts on measures.account_id = accounts.source_account_id
    left join starts on accounts.account_id = starts.account_id
    left join {{ ref('measure_qualities') }} as qualities
        on lower(measures.measure_quality) = qualities.judgement
),

measured as (
    select
        measurements.success_measure_id,
        coalesce(
            measurements.checkpoint_month,
            cast(
                3 * round(
                    {{ months_between('starts.started_on', 'measurements.measured_on') }} / 3.0
                ) as bigint
            )
        ) as checkpoint_month,
        measurements.success_measurement_id,
        measurements.account_id,
        measurements.measured_on,
        measurements.value,
        measurements.value_usd,
        measurements.attainment
    from {{ ref('fct_success_measurements') }} as measurements
    left join starts on measurements.account_id = starts.account_id
),

newest as (
    select
        *,
        row_number() over (
            partition by success_measure_id, checkpoint_month
            order by measured_on desc, success_measurement_id desc
        ) as newest_rank
    from measured
),

-- A checkpoint is open until the next: a measure agreed within these months can still be asked for.
asked_for as (
    select
        measures.success_measure_id,
        checkpoints.checkpoint_month
    from measures
    inner join checkpoints
        on
            measures.defined_on
            < {{ months_after('measures.started_on', 'checkpoints.checkpoint_month + 3') }}
            and {{ months_after('measures.started_on', 'checkpoints.checkpoint_month') }}
            <= {{ as_of_date() }}
    left join months
        on
            measures.account_id = months.account_id
            and {{ month_end(
                months_after('measures.started_on', 'checkpoints.checkpoint_month')
            ) }} = months.month_end_on
    where coalesce(months.is_active, true)
    union
    select
        newest.success_measure_id,
        newest.checkpoint_month
    from newest
    inner join measures on newest.success_measure_id = measures.success_measure_id
    where newest.checkpoint_month is not null
),

rows_due as (
    select
        measures.*,
        asked_for.checkpoint_month,
        {{ months_after('measures.started_on', 'asked_for.checkpoint_month') }} as due_on,
        newest.success_measurement_id,
        newest.measured_on,
        newest.value,
        newest.value_usd,
        newest.attainment
    from asked_for
    inner join measures on asked_for.success_measure_id = measures.success_measure_id
    left join newest
        on
            asked_for.success_measure_id = newest.success_measure_id
            and asked_for.checkpoint_month = newest.checkpoint_month
            and newest.newest_rank = 1
),

compared as (
    select
        success_measure_id,
        checkpoint_month,
        first_value(value) over in_order as first_value_measured,
        case
            when direction = 'lower_is_better' then lag(value) over in_order - value
            when direction = 'higher_is_better' then value - lag(value) over in_order
        end as gain_since_last
    from rows_due
    where value is not null
    window in_order as (partition by success_measure_id order by checkpoint_month)
),

improved as (
    select
        success_measure_id,
        checkpoint_month,
        first_value_measured,
        min(case when gain_since_last > 0 then 1 when gain_since_last <= 0 then 0 end) over (
            partition by success_measure_id
            order by checkpoint_month
            rows unbounded preceding
        ) as better_every_time
    from compared
),

-- What we count is use; does it move with what the customer counts?
moves as (
    select
        measured.success_measure_id,
        count(*) as measurements,
        corr(measured.attainment, cast(usage.events_28d as double)) as usage_correlation
    from measured
    inner join {{ ref('int_usage_account_months') }} as usage
        on
            measured.account_id = usage.account_id
            and {{ month_end('measured.measured_on') }} = usage.month_end_on
    where measured.attainment is not null and usage.events_28d is not null
    group by measured.success_measure_id
),

alignments as (
    select
        measures.success_measure_id,
        case
            when moves.measurements >= {{ enough_measurements }}
                then nullif(moves.usage_correlation, cast('NaN' as double))
        end as usage_correlation,
        moves.measurements
    from measures
    left join moves on measures.success_measure_id = moves.success_measure_id
),

-- An account with one measure that we count otherwise is counted otherwise.
counted_accounts as (
    select
        account_id,
        segment,
        min(defined_on) as defined_on,
        min(case when is_customer_metric then 1 else 0 end) = 1 as is_customer_metric
    from measures
    where is_customer_metric is not null
    group by account_id, segment
),

losses as (
    select
        counted_accounts.segment,
        counted_accounts.is_customer_metric,
        count(*) as renewals_decided,
        sum(case when renewals.is_lost then 1 else 0 end) as renewals_lost
    from counted_accounts
    inner join {{ ref('renewals') }} as renewals
        on
            counted_accounts.account_id = renewals.account_id
            and counted_accounts.defined_on <= renewals.due_on
    where renewals.is_lost or renewals.is_renewed
    group by counted_accounts.segment, counted_accounts.is_customer_metric
),

-- Those who decide about the purchase, and who of them told how success is measured.
committee as (
    select distinct
        account_id,
        level
    from {{ ref('int_person_states') }}
    where
        visible_to_on is null
        and not is_gone
        and level is not null
        and (is_champion or is_sponsor or is_economic_buyer)
),

asked as (
    select distinct
        account_id,
        stakeholder_level
    from measures
    where stakeholder_level is not null
),

coverage as (
    select
        committee.account_id,
        count(*) as levels,
        count(asked.account_id) as levels_asked
    from committee
    left join asked
        on
            committee.account_id = asked.account_id
            and committee.level = asked.stakeholder_level
    group by committee.account_id
)

select
    rows_due.success_measure_id,
    cast(rows_due.checkpoint_month as bigint) as checkpoint_month,
    rows_due.account_id,
    rows_due.success_measurement_id,
    rows_due.defined_on,
    rows_due.confirmed_on,
    rows_due.due_on,
    rows_due.measured_on,
    rows_due.segment,
    rows_due.measure_name,
    rows_due.vendor_metric,
    rows_due.direction,
    rows_due.unit,
    rows_due.stakeholder_level as stakeholder_role,
    rows_due.asked_at,
    rows_due.measure_quality,
    case
        when rows_due.is_customer_metric then 'customer_metric'
        when not rows_due.is_customer_metric and alignments.usage_correlation <= 0
            then 'misaligned'
        when not rows_due.is_customer_metric and alignments.usage_correlation > 0
            then 'moves_along'
        when not rows_due.is_customer_metric then 'unproven'
    end as metric_alignment,
    rows_due.baseline,
    rows_due.target,
    rows_due.value,
    rows_due.value_usd,
    rows_due.attainment,
    {{ stable(
        '(rows_due.value - coalesce(rows_due.baseline, improved.first_value_measured))'
        ~ ' / nullif(coalesce(rows_due.baseline, improved.first_value_measured), 0)'
    ) }} as change_vs_baseline_rate,
    {{ stable('alignments.usage_correlation') }} as usage_correlation,
    coalesce(alignments.measurements, 0) as usage_measurements,
    losses.renewals_decided as alignment_renewals_decided,
    cast(losses.renewals_lost as bigint) as alignment_renewals_lost,
    {{ stable('1.0 * losses.renewals_lost / losses.renewals_decided') }} as alignment_loss_rate,
    {{ stable('1.0 * coverage.levels_asked / coverage.levels') }} as stakeholder_coverage_rate,
    rows_due.is_purchase_reason,
    rows_due.is_customer_metric,
    rows_due.success_measurement_id is not null as is_measured,
    rows_due.attainment >= 1 as is_attained,
    improved.better_every_time = 1 as is_better_every_time
from rows_due
left join improved
    on
        rows_due.success_measure_id = improved.success_measure_id
        and rows_due.checkpoint_month = improved.checkpoint_month
left join alignments on rows_due.success_measure_id = alignments.success_measure_id
left join counted_accounts on rows_due.account_id = counted_accounts.account_id
left join losses
    on
        counted_accounts.is_customer_metric = losses.is_customer_metric
        and coalesce(counted_accounts.segment, '') = coalesce(losses.segment, '')
left join coverage on rows_due.account_id = coverage.account_id
