"""Group `findings`: what a quarter showed of actions, events and programmes, appended once.

Belongs here: reading rows out of the warehouse, handing them to `scoring/`, reporting. Must not be
here: how anything is compared, or which quarter is due.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import dagster as dg
import duckdb
import pandas as pd

from orchestration.installation import Installation, Night
from orchestration.reading import features, reading
from scoring import findings, history

ACTIONS = dg.AssetKey(["scores", findings.ACTIONS.name])
TRIGGERS = dg.AssetKey(["scores", findings.TRIGGERS.name])
PROGRAMS = dg.AssetKey(["scores", findings.PROGRAMS.name])

_FEATURES = dg.AssetKey(["intermediate", "int_account_features"])
_DATED = dg.AssetKey(["intermediate", "int_dated_actions"])
_Finder = Callable[[duckdb.DuckDBPyConnection, list[date]], pd.DataFrame]


def findings_assets() -> list[dg.AssetsDefinition]:
    """Return the steps of the group."""
    return [action_findings, trigger_findings, program_findings]


@dg.asset(
    key=ACTIONS,
    group_name="findings",
    kinds={"parquet"},
    deps=[
        _FEATURES,
        dg.AssetKey(["intermediate", "int_renewal_actions"]),
        dg.AssetKey(["intermediate", "int_renewal_decisions"]),
        dg.AssetKey(["seeds", "customer_actions"]),
    ],
    pool="warehouse",
    description=(
        "Which actions stood beside more or fewer renewals, quarter by quarter, append-only: the "
        "last four at first, then each when it is over. A second run adds nothing."
    ),
)
def action_findings(
    context: dg.AssetExecutionContext, installation: Installation, night: Night
) -> dg.MaterializeResult[Any]:
    """Look at the quarters that are due."""

    def find(connection: duckdb.DuckDBPyConnection, quarters: list[date]) -> pd.DataFrame:
        names = connection.execute("select action from seeds.customer_actions order by 1").df()
        renewals = connection.execute(
            """
            select
                contract_term_id, account_id, due_on, final_on, window_days, observed_before_on,
                segment, due_arr_usd::double as arr_usd,
                window_end_on - window_start_on + 1 as exposed_days, is_evergreen, is_renewed
            from intermediate.int_renewal_decisions
            order by contract_term_id, window_days
            """
        ).df()
        done = connection.execute(
            """
            select contract_term_id, window_days, action, is_done
            from intermediate.int_renewal_actions
            """
        ).df()
        observed = features(connection)
        return pd.concat(
            [
                findings.action_findings(quarter, renewals, done, observed, list(names["action"]))
                for quarter in quarters
            ]
        )

    return _found(context, installation, night, findings.ACTIONS, find, newest=4)


@dg.asset(
    key=TRIGGERS,
    group_name="findings",
    kinds={"parquet"},
    deps=[
        _DATED,
        dg.AssetKey(["core", "fct_trigger_events"]),
        dg.AssetKey(["core", "fct_account_months"]),
    ],
    pool="warehouse",
    description=(
        "Which outcomes followed which events more often than the days before them, append-only: "
        "one look a quarter, over five years. A second run adds nothing."
    ),
)
def trigger_findings(
    context: dg.AssetExecutionContext, installation: Installation, night: Night
) -> dg.MaterializeResult[Any]:
    """Look at the newest quarter, unless that is done."""

    def find(connection: duckdb.DuckDBPyConnection, quarters: list[date]) -> pd.DataFrame:
        events = connection.execute(
            """
            select account_id, trigger_type, occurred_on from core.fct_trigger_events
            where account_id is not null and occurred_on is not null
            union all
            select account_id, action, happened_on from intermediate.int_dated_actions
            where action = 'champion_left'
            """
        ).df()
        outcomes = connection.execute(
            """
            select account_id, action as outcome, happened_on as occurred_on
            from intermediate.int_dated_actions
            where action in (
                'seats_added', 'seats_removed', 'support_escalation', 'payment_failed',
                'fell_silent'
            )
            """
        ).df()
        observed = connection.execute(
            """
            select
                account_id,
                min(date_trunc('month', month_end_on)::date) as observed_from,
                max(month_end_on) as observed_to
            from core.fct_account_months
            where is_paying
            group by account_id
            order by account_id
            """
        ).df()
        return pd.concat(
            [findings.trigger_findings(q, events, outcomes, observed) for q in quarters]
        )

    return _found(context, installation, night, findings.TRIGGERS, find, newest=1)


@dg.asset(
    key=PROGRAMS,
    group_name="findings",
    kinds={"parquet"},
    deps=[
        _FEATURES,
        dg.AssetKey(["core", "fct_program_enrolments"]),
        dg.AssetKey(["core", "dim_programs"]),
    ],
    pool="warehouse",
    description=(
        "What programmes changed whose arms were not drawn by lot, or why that cannot be said, "
        "append-only: one look a quarter. A second run adds nothing."
    ),
)
def program_findings(
    context: dg.AssetExecutionContext, installation: Installation, night: Night
) -> dg.MaterializeResult[Any]:
    """Look at the newest quarter, unless that is done."""

    def find(connection: duckdb.DuckDBPyConnection, quarters: list[date]) -> pd.DataFrame:
        enrolments = connection.execute(
            """
            select
                program_id, account_id, arm, enrolled_on,
                not has_both_arms and known_at::date <= enrolled_on as is_comparable
            from core.fct_program_enrolments
            inner join core.dim_programs using (program_id)
            where not is_randomised and enrolled_on is not null
            order by program_id, account_id
            """
        ).df()
        observed = features(connection)
        return pd.concat([findings.program_findings(q, enrolments, observed) for q in quarters])

    return _found(context, installation, night, findings.PROGRAMS, find, newest=1)


def _found(
    context: dg.AssetExecutionContext,
    installation: Installation,
    night: Night,
    table: history.Table,
    find: _Finder,
    *,
    newest: int,
) -> dg.MaterializeResult[Any]:
    """Append the findings of those of the newest quarters that have none yet."""
    known = set(history.read(installation.lake, ["as_of"], table)["as_of"])
    quarters = findings.quarters_due(night.date, known, newest)
    appended = 0
    if quarters:
        with reading(installation.warehouse) as connection:
            rows = find(connection, quarters)
        rows = rows.assign(
            found_on=night.date, scored_at=datetime.now(UTC), run_id=context.run.run_id
        )
        appended = history.append(installation.lake, rows, table)
    context.log.info(f"{table.name}: {appended:,} rows found for {len(quarters)} quarters")
    return dg.MaterializeResult(
        metadata={
            "quarters": dg.MetadataValue.json([quarter.isoformat() for quarter in quarters]),
            "rows_appended": appended,
        }
    )
