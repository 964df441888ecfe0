"""Rejected rows, tried again: from their copy, or from the vendor where the copy was redacted.

Belongs here: choosing the way and recording the outcome. Must not be here: rules (see `rows`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson
import pyarrow as pa

from ingestion import landing, privacy, rejects, rows, schemas
from ingestion.billing import stripe
from ingestion.crm import hubspot, salesforce
from ingestion.lake import Lake
from ingestion.landing import Landing
from ingestion.reports import LoadReport
from ingestion.settings import Settings

_VENDORS: dict[str, Callable[..., LoadReport]] = {
    "stripe": stripe.refetch,
    "salesforce": salesforce.refetch,
    "hubspot": hubspot.refetch,
}


@dataclass
class Outcome:
    """What a replay did.

    Attributes:
        tried: rejects that were open.
        landed: rows that landed.
        notes: what a person should do about the others.
    """

    tried: int = 0
    landed: int = 0
    notes: list[str] = field(default_factory=list)


def run(
    settings: Settings, lake: Lake, source: str, *, run_id: str, progress: Callable[[str], None]
) -> Outcome:
    """Tries a source's open rejects again.

    A row whose copy is whole is checked by today's rules. One whose copy was redacted is fetched
    from the vendor by its key; a file's row of that kind is corrected in the file, which is then
    read again.
    """
    landing.begin(lake, source)
    outcome = Outcome()
    opened = [r for r in rejects.read(lake, source).to_pylist() if not r["is_replayed"]]
    outcome.tried = len(opened)
    by_table: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for reject in opened:
        by_table[reject["table_name"]].append(reject)
    report = LoadReport(source)
    batch = Landing(lake, source, run_id, report)
    done: list[str] = []
    for name, some in by_table.items():
        if (source, name) == ("usage", "events"):
            outcome.notes.append(
                "events: have the sender deliver the corrected events in a new file, or correct "
                "the rows of the table and load that day again (backfill)."
            )
            continue
        whole = [r for r in some if not privacy.is_redacted(orjson.loads(r["raw"]))]
        done += _from_copies(batch, source, name, whole)
        redacted = [r for r in some if r not in whole]
        if redacted and source in _VENDORS:
            done += _from_vendor(settings, lake, source, name, redacted, run_id, progress)
        elif redacted:
            outcome.notes.append(
                f"{name}: {len(redacted)} rows hold personal data that is not kept; correct them "
                "in their file, and the next load reads it again."
            )
    if done:
        now = datetime.now(UTC)
        batch.add_rows(
            rejects.REPLAYS,
            pa.Table.from_pylist(
                [
                    {"reject_id": i, "outcome": "landed", "run_id": run_id, "replayed_at": now}
                    for i in done
                ],
                schema=rejects.REPLAY_SCHEMA,
            ),
        )
    batch.flush()
    outcome.landed = len(done)
    return outcome


def _from_copies(batch: Landing, source: str, name: str, some: list[dict[str, Any]]) -> list[str]:
    table = schemas.table(source, name)
    done = []
    for reject in some:
        good, bad = rows.build(table, [orjson.loads(reject["raw"])])
        if not bad:
            batch.add_rows(name, good)
            done.append(reject["reject_id"])
    return done


def _from_vendor(
    settings: Settings,
    lake: Lake,
    source: str,
    name: str,
    some: list[dict[str, Any]],
    run_id: str,
    progress: Callable[[str], None],
) -> list[str]:
    keys = sorted({r["record_key"] for r in some if r["record_key"] != "None"})
    report = _VENDORS[source](
        settings, lake, table=name, keys=keys, run_id=run_id, progress=progress
    )
    still = {
        r["record_key"]
        for r in rejects.read(lake, source).to_pylist()
        if r["run_id"] == run_id and r["table_name"] == name
    }
    if not report.load_ids:
        return []
    return [
        r["reject_id"] for r in some if r["record_key"] not in still and r["record_key"] in keys
    ]
