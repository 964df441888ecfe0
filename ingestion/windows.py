"""Windows: how far each resource has been read, told by the finished loads themselves.

Every load carries, beside its rows, one row per window it finished. A window therefore counts
exactly when its rows do; a lost machine, an emptied scratch folder or a kill between two writes
cannot part them.

Belongs here: the window's shape and questions about finished ones. Must not be here: what a cursor
means; that is the connector's business.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime

import pyarrow as pa

from ingestion.lake import Lake

NAME = "_windows"
LISTING = "listing"
INCREMENT = "increment"
BACKFILL = "backfill"
RESET = "reset"

SCHEMA = pa.schema(
    [
        ("resource", pa.string()),
        ("kind", pa.string()),
        ("generation", pa.string()),
        ("cursor", pa.string()),
        ("is_last", pa.bool_()),
        ("rows", pa.int64()),
        ("sequence", pa.int64()),
        ("run_id", pa.string()),
        ("finished_at", pa.timestamp("us", "UTC")),
    ]
)


@dataclass(frozen=True)
class Window:
    """One finished stretch of one resource.

    Attributes:
        resource: what was read.
        kind: listing, increment, backfill or reset.
        generation: names the listing the stretch belongs to.
        cursor: where the next stretch begins, in the connector's own terms.
        is_last: whether the resource was read to its end.
        rows: rows landed.
    """

    resource: str
    kind: str
    generation: str = ""
    cursor: str = ""
    is_last: bool = False
    rows: int = 0


def to_arrow(windows: Iterable[Window], run_id: str, at: datetime) -> pa.Table:
    """Windows as a table to be landed with the load that finished them."""
    rows = [
        asdict(w) | {"sequence": i, "run_id": run_id, "finished_at": at}
        for i, w in enumerate(windows)
    ]
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def finished(lake: Lake, source: str) -> list[Window]:
    """All windows of finished loads, oldest first. Backfills are left out: they move no cursor."""
    rows = lake.read(source, NAME)
    if not rows.num_rows:
        return []
    ordered = rows.sort_by([("_dlt_load_id", "ascending"), ("sequence", "ascending")])
    return [
        Window(r["resource"], r["kind"], r["generation"], r["cursor"], r["is_last"], r["rows"])
        for r in ordered.to_pylist()
        if r["kind"] != BACKFILL
    ]


def newest(windows: Iterable[Window], resource: str) -> Window | None:
    """The last finished window of a resource; nothing if it was never read or has been reset."""
    found: Window | None = None
    for window in windows:
        if window.resource == resource:
            found = None if window.kind == RESET else window
    return found
