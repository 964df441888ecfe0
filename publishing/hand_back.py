"""What goes back into the CRM: accounts whose score band or plan changed since the night before.

Belongs here: the comparison of two nights and the file. Must not be here: delivery (any reverse-ETL
tool reads a CSV), or what a band or a plan is (the mart `renewals.churn_risk` says).

The night before is the newest one of an earlier date that is kept, whatever readers are shown, so a
night that is built again hands back the same rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb

from publishing import nights
from publishing.publish import DATABASE

FILE = "hand_back/accounts.csv"

#: Columns of `renewals.churn_risk` that are handed back, by the name they get.
_TOLD = {
    "risk_band": "band",
    "p_lost_next_renewal": "p_lost_next_renewal",
    "expected_loss_arr_usd": "expected_loss_arr_usd",
    "is_at_risk": "is_at_risk",
    "next_due_on": "next_due_on",
    "reason": "reason_1",
    "plan_id": "action_plan_id",
    "plan_type": "plan_type",
    "plan_owner_id": "plan_owner_id",
    "plan_due_on": "plan_due_on",
}
_BAND = ("risk_band",)
_PLAN = ("plan_id", "plan_type", "plan_owner_id", "plan_due_on")


@dataclass(frozen=True)
class HandBack:
    """What goes back.

    Attributes:
        text: the file: CSV with a header line, UTF-8, lines end in a line feed, unknown is empty.
        rows: accounts in it.
        compared_with: the night compared with; None where there is none, and all accounts go back.
    """

    text: str
    rows: int
    compared_with: date | None


def hand_back(warehouse: Path, published: Path, as_of: date) -> HandBack:
    """Compare the night being built with the one before.

    Args:
        warehouse: the DuckDB file with the marts of `as_of`.
        published: the folder of nights.
        as_of: the night.
    """
    before = next(
        (n for n in reversed(nights.nights(published)) if n.as_of < as_of and _can_compare(n.path)),
        None,
    )
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        _take(connection, "now_", warehouse)
        if before is None:
            connection.execute("create temp table before_ as from now_ limit 0")
        else:
            _take(connection, "before_", before.path / DATABASE)
        rows = connection.execute(_changes(is_first=before is None), {"as_of": as_of})
        names = [column[0] for column in rows.description or ()]
        lines = [[_cell(value) for value in row] for row in rows.fetchall()]
    text = "".join(",".join(line) + "\n" for line in [names, *lines])
    return HandBack(text, len(lines), before.as_of if before is not None else None)


def _can_compare(night: Path) -> bool:
    """Whether a night has what is compared: one of an older version may not."""
    with duckdb.connect(str(night / DATABASE), read_only=True) as connection:
        found = connection.execute(
            "select column_name from information_schema.columns"
            " where table_schema = 'renewals' and table_name = 'churn_risk'"
        ).fetchall()
    return {"account_id", *_TOLD.values()} <= {row[0] for row in found}


def _take(connection: duckdb.DuckDBPyConnection, name: str, database: Path) -> None:
    told = ", ".join(f"{column} as {as_name}" for as_name, column in _TOLD.items())
    place = str(database).replace("'", "''")
    connection.execute(f"attach '{place}' as source (read_only)")
    connection.execute(
        f"create temp table {name} as select account_id, {told} from source.renewals.churn_risk"
    )
    connection.execute("detach source")


def _changes(*, is_first: bool) -> str:
    def differs(columns: tuple[str, ...]) -> str:
        return " or ".join(f"n.{c} is distinct from b.{c}" for c in columns)

    told = ", ".join(f"n.{name}" for name in _TOLD)
    return f"""
        select
            coalesce(n.account_id, b.account_id) as account_id,
            $as_of::date as as_of_on,
            case
                when {"true" if is_first else "false"} then 'first'
                when n.account_id is null then 'gone'
                when b.account_id is null then 'new'
                else concat_ws(
                    ';',
                    case when {differs(_BAND)} then 'band' end,
                    case when {differs(_PLAN)} then 'plan' end
                )
            end as change,
            {told},
            b.risk_band as risk_band_before,
            b.plan_id as plan_id_before
        from now_ as n
        full join before_ as b on n.account_id = b.account_id
        where
            n.account_id is null or b.account_id is null
            or {differs(_BAND)} or {differs(_PLAN)}
        order by account_id
    """


def _cell(value: object) -> str:
    if value is None:
        return ""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return '"' + text.replace('"', '""') + '"' if any(c in text for c in ',"\r\n') else text
