"""How far the figures can be trusted: forecasts against outcomes, sources, rejects, gaps."""

from __future__ import annotations

import pandas as pd

from dashboards.night import Night


def forecasters(night: Night) -> pd.DataFrame:
    """Return how model and people did, by who spoke, on what basis and how long before.

    One row a forecaster, basis and lead: forecaster (next_renewal, sign_today, all_people), basis
    (live, walk_forward), lead_bucket (days before due), lead_from (its first day), renewals,
    losses (counts), mean_p_lost, base_rate, brier_score, log_loss (means over the renewals),
    brier_skill (above 0 beats the base rate of all these renewals), flagged_share,
    flag_precision, losses_flagged (0-1). Bases are never added up.
    """
    return night.frame(
        """
        select
            forecaster, basis, lead_bucket, min(lead_days_from) as lead_from,
            sum(renewals) as renewals, sum(losses) as losses,
            sum(mean_p_lost * renewals) / nullif(sum(renewals), 0) as mean_p_lost,
            sum(losses) / nullif(sum(renewals), 0) as base_rate,
            sum(brier_score * renewals) / nullif(sum(renewals), 0) as brier_score,
            sum(log_loss * renewals) / nullif(sum(renewals), 0) as log_loss,
            1 - (sum(brier_score * renewals) / nullif(sum(renewals), 0))
                / nullif(
                    (sum(losses) / nullif(sum(renewals), 0))
                    * (1 - sum(losses) / nullif(sum(renewals), 0)), 0
                ) as brier_skill,
            sum(renewals_flagged) / nullif(sum(renewals), 0) as flagged_share,
            sum(flag_precision_rate * renewals_flagged) / nullif(sum(renewals_flagged), 0)
                as flag_precision,
            sum(losses_flagged_rate * losses) / nullif(sum(losses), 0) as losses_flagged
        from renewals.model_performance
        where forecaster_type in ('model', 'people')
        group by forecaster, basis, lead_bucket
        order by forecaster, basis, lead_from
        """
    )


def bands(night: Night) -> pd.DataFrame:
    """Return what the bands promised and what came: losses by band, over all quarters.

    One row a basis, lead and band from high to low: basis, lead_bucket, lead_from, band, renewals
    (count), loss_rate, low, high (0-1; 95 % interval of Wilson 1927).
    """
    return night.frame(
        """
        with counted as (
            select basis, lead_bucket, lead_days_from, band, n, lost
            from (
                select basis, lead_bucket, lead_days_from,
                    unnest(['high', 'medium', 'low']) as band,
                    unnest([high_band_renewals, medium_band_renewals, low_band_renewals]) as n,
                    unnest([
                        high_band_renewals * high_band_loss_rate,
                        medium_band_renewals * medium_band_loss_rate,
                        low_band_renewals * low_band_loss_rate
                    ]) as lost
                from renewals.model_performance
                where forecaster_type = 'model' and forecaster = 'next_renewal'
            )
        ),
        sums as (
            select basis, lead_bucket, min(lead_days_from) as lead_from, band,
                cast(sum(n) as double) as n, sum(lost) / nullif(sum(n), 0) as p
            from counted group by basis, lead_bucket, band
        )
        select
            basis, lead_bucket, lead_from, band, cast(n as bigint) as renewals, p as loss_rate,
            (p + 1.9208 / n - 1.96 * sqrt(p * (1 - p) / n + 0.9604 / n / n)) / (1 + 3.8416 / n)
                as low,
            (p + 1.9208 / n + 1.96 * sqrt(p * (1 - p) / n + 0.9604 / n / n)) / (1 + 3.8416 / n)
                as high
        from sums
        where n > 0
        order by basis, lead_from, case band when 'high' then 1 when 'medium' then 2 else 3 end
        """
    )


def scored(night: Night) -> pd.DataFrame:
    """Return what serves tonight: one row.

    Columns: customers, scored, by_model, by_segment_rate (counts), scored_on, training_cutoff_on
    (dates), model_version, knowledge (0-1, mean share of the twelve facts known).
    """
    return night.frame(
        """
        select
            count(*) as customers,
            count(p_lost_next_renewal) as scored,
            count(*) filter (where serves = 'model') as by_model,
            count(*) filter (where serves = 'segment_rate') as by_segment_rate,
            max(scored_on) as scored_on,
            max(training_cutoff_on) as training_cutoff_on,
            max(model_version) as model_version,
            avg(knowledge_score) as knowledge
        from renewals.churn_risk
        """
    )


def freshness(night: Night) -> pd.DataFrame:
    """Return how old the newest fact of each landed table is, the silent ones first.

    One row a table: source_name, table_name, newest_known_on, lag_days, expected_lag_days (days),
    state (silent, fresh, no limit, no facts).
    """
    return night.frame(
        """
        select source_name, table_name, newest_known_on, lag_days, expected_lag_days,
            case
                when not has_facts then 'no facts'
                when is_stale then 'silent'
                when is_stale is null then 'no limit'
                else 'fresh'
            end as state
        from operations.freshness
        order by case when is_stale then 0 when has_facts then 1 else 2 end, source_name, table_name
        """
    )


def checked(night: Night) -> pd.DataFrame:
    """Return how many checks were run before the night was shown, by stage in the night's order.

    One row a stage: stage (loaded, built, scored), checks, passed, warned, failed (counts).
    """
    return night.frame(
        """
        select stage, count(*) as checks,
            count(*) filter (where outcome = 'passed') as passed,
            count(*) filter (where outcome = 'warned') as warned,
            count(*) filter (where outcome = 'failed') as failed
        from operations.checks
        group by stage
        order by case stage when 'loaded' then 1 when 'built' then 2 else 3 end
        """
    )


def not_held(night: Night) -> pd.DataFrame:
    """Return the checks that did not hold, failures first.

    One row a check: outcome, subject, what_is_checked, rows_at_fault (count, missing where rows
    are not what is counted), found.
    """
    return night.frame(
        """
        select outcome, subject, what_is_checked, rows_at_fault, found
        from operations.checks
        where outcome <> 'passed'
        order by outcome, rows_at_fault desc nulls last, subject, check_name
        """
    )


def rejects(night: Night) -> pd.DataFrame:
    """Return what the loaders kept out, grouped by fault; the most first.

    One row a source, table and rule: source_name, table_name, rule, field, faults, replayed
    (counts), newest_on (date of the night that met the newest), remedy.
    """
    return night.frame(
        """
        select source_name, table_name, rule, field, count(*) as faults,
            count(*) filter (where is_replayed) as replayed,
            max(first_seen_on) as newest_on, any_value(remedy) as remedy
        from operations.rejects
        group by source_name, table_name, rule, field
        order by faults desc, source_name, table_name, rule, field
        """
    )


def gaps(night: Night) -> pd.DataFrame:
    """Return what is unclear in the sources, by kind: gap_type, object, gaps (count)."""
    return night.frame(
        """
        select gap_type, object, count(*) as gaps
        from operations.data_gaps
        group by gap_type, object
        order by gaps desc, gap_type, object
        """
    )


def restatements(night: Night) -> pd.DataFrame:
    """Return what became known only after its month had ended, over the last twelve months.

    One row an object and kind: object, change_type, late_rows (count), months (count), newest_on
    (date).
    """
    return night.frame(
        f"""
        select object, change_type, sum(late_rows) as late_rows, count(distinct month) as months,
            max(last_known_on) as newest_on
        from operations.restatements
        where month > date '{night.as_of}' - interval 12 months
        group by object, change_type
        order by late_rows desc, object, change_type
        """
    )


def schema_changes(night: Night) -> pd.DataFrame:
    """Return how the sources changed their shape, newest first.

    One row a change: first_seen_on, source_name, table_name, field, kind, outcome, remedy.
    """
    return night.frame(
        """
        select first_seen_on, source_name, table_name, field, kind, outcome, remedy
        from operations.schema_changes
        order by first_seen_on desc, source_name, table_name, field
        limit 50
        """
    )


def unknowns(night: Night, limit: int = 8) -> pd.DataFrame:
    """Return what we do not know about customers, where it hangs on the most revenue first.

    One row a fact: label, accounts_unknown (count), unknown_share (0-1), arr_unknown_usd (USD a
    year), remedy.
    """
    return night.frame(
        f"""
        select label, accounts_unknown, unknown_share,
            cast(arr_unknown_usd as double) as arr_unknown_usd, remedy
        from renewals.known_unknowns
        where unknown_type = 'fact' and is_unknown
        order by arr_unknown_usd desc nulls last, label
        limit {limit}
        """
    )


def inputs_missing(night: Night) -> pd.DataFrame:
    """Return the inputs that this company lacks: label, needed_by, remedy."""
    return night.frame(
        """
        select label, needed_by, remedy from renewals.known_unknowns
        where unknown_type <> 'fact' and is_unknown order by label
        """
    )


def promises(night: Night) -> pd.DataFrame:
    """Return what the warehouse proves of itself in every night: one row.

    Columns: scenarios, reproduced (counts of what-if statements that come out as expected),
    unbalanced_months (count of months, segments and regions whose movements do not add up from
    opening to closing, to the cent).
    """
    return night.frame(
        """
        select
            (select count(*) from value.scenarios) as scenarios,
            (select count(*) from value.scenarios where is_reproduced) as reproduced,
            (
                select count(*) from cohorts.revenue_retention
                where closing_mrr_usd <> opening_mrr_usd + new_usd + reactivation_usd
                    + expansion_usd - contraction_usd - churn_usd - pause_out_usd + pause_in_usd
                    + merge_transfer_usd
            ) as unbalanced_months
        """
    )
