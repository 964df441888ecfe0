"""Rows that could not be landed: kept with the rule they broke, the remedy, and a redacted copy.

Belongs here: the reject's shape, reading them back, and which are still open. Replaying lives with
the connectors (they know how to fetch a record again); the command is `python -m ingestion replay-
rejects`. Must not be here: personal data. The copy is redacted before it is handed in.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

import pyarrow as pa

from ingestion import privacy
from ingestion.lake import Lake
from ingestion.schemas.model import Table
from ingestion.schemas.operations import REJECTS
from ingestion.schemas.operations import SOURCES as SOURCES

NAME = "_rejects"
REPLAYS = "_replays"

SCHEMA = REJECTS.write_schema
REPLAY_SCHEMA = pa.schema(
    [
        ("reject_id", pa.string()),
        ("outcome", pa.string()),
        ("run_id", pa.string()),
        ("replayed_at", pa.timestamp("us", "UTC")),
    ]
)


@dataclass(frozen=True)
class Reject:
    """One rule broken by one row.

    Attributes:
        source: the source.
        table_name: table the row was meant for.
        record_key: its key, parts joined by '|'; the file and row number if it has none.
        rule: rule's name.
        field: column at fault.
        message: what is wrong, without the value where that could be personal.
        remedy: what to do.
        raw: redacted JSON of the row.
    """

    source: str
    table_name: str
    record_key: str
    rule: str
    field: str
    message: str
    remedy: str
    raw: str

    @property
    def reject_id(self) -> str:
        """Same fault of the same row, same id, however often it comes back."""
        parts = (self.source, self.table_name, self.record_key, self.rule, self.field, self.raw)
        return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:24]


def reject(
    table: Table, record: Mapping[str, Any], rule: str, field: str, message: str, remedy: str
) -> Reject:
    """A reject of a row, its copy redacted here so that no caller can forget to."""
    kept = privacy.redact(record, table)
    key = "|".join(str(kept.get(k)) for k in table.key)
    # The standard library's, for orjson refuses whole numbers beyond 64 bits.
    raw = json.dumps(kept, default=str, sort_keys=True, ensure_ascii=False)
    return Reject(table.source, table.name, key, rule, field, message, remedy, raw)


def to_arrow(rejects: Iterable[Reject], run_id: str, at: datetime, seen_on: date) -> pa.Table:
    """Rejects as a table to be landed with the load they belong to.

    Args:
        rejects: the rejects.
        run_id: the run.
        at: the instant.
        seen_on: the date the run is for; what is published goes by it.
    """
    rows = [
        asdict(r)
        | {"reject_id": r.reject_id, "run_id": run_id, "rejected_at": at, "seen_on": seen_on}
        for r in rejects
    ]
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def read(lake: Lake, source: str | None = None) -> pa.Table:
    """All rejects of finished loads, each fault once (the newest), with `is_replayed`.

    Args:
        lake: the lake.
        source: restrict to one source.
    """
    parts = []
    for name in (source,) if source else SOURCES:
        rows = lake.read(name, NAME)
        if rows.num_rows:
            if "seen_on" not in rows.column_names:
                rows = rows.append_column("seen_on", pa.nulls(rows.num_rows, pa.date32()))
            rows = rows.append_column("is_replayed", _replayed(lake, name, rows))
            rows = rows.select([*SCHEMA.names, "_dlt_load_id", "is_replayed"])
            parts.append(
                rows.set_column(
                    rows.schema.get_field_index("_dlt_load_id"),
                    "_dlt_load_id",
                    rows["_dlt_load_id"].cast(pa.string()),
                )
            )
    if not parts:
        empty = SCHEMA.append(pa.field("_dlt_load_id", pa.string()))
        return empty.append(pa.field("is_replayed", pa.bool_())).empty_table()
    everything = pa.concat_tables(parts).sort_by(
        [("reject_id", "ascending"), ("rejected_at", "descending")]
    )
    ids = everything["reject_id"].to_pylist()
    first = [i for i, value in enumerate(ids) if i == 0 or ids[i - 1] != value]
    return everything.take(first)


def _replayed(lake: Lake, source: str, rows: pa.Table) -> pa.Array:
    done: dict[str, datetime] = {}
    replays = lake.read(source, REPLAYS)
    if replays.num_rows:
        for record in replays.to_pylist():
            if record["outcome"] == "landed":
                newest = done.get(record["reject_id"])
                if newest is None or record["replayed_at"] > newest:
                    done[record["reject_id"]] = record["replayed_at"]
    return pa.array(
        [
            reject_id in done and at <= done[reject_id]
            for reject_id, at in zip(
                rows["reject_id"].to_pylist(), rows["rejected_at"].to_pylist(), strict=True
            )
        ],
        pa.bool_(),
    )
