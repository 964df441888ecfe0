"""Monthly usage of workspaces, from before raw events are kept: files of CSV or Parquet.

Belongs here: which files are read. Must not be here: reading rows (see `tabular`), or any sum of
events.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import date

from ingestion import landing, schemas, tabular, windows
from ingestion.lake import Lake
from ingestion.landing import Landing
from ingestion.reports import LoadReport
from ingestion.settings import Settings
from ingestion.tabular import Source
from ingestion.windows import RESET, Window

SOURCE = "usage"
TABLE = "usage_monthly"


def run(
    settings: Settings,
    lake: Lake,
    *,
    run_id: str,
    as_of: date,
    progress: Callable[[str], None],
) -> LoadReport:
    """Loads what is new or changed; nothing if no monthly file is configured.

    Args:
        settings: with usage configured.
        lake: where to land.
        run_id: the run's id, kept with rejects and windows.
        as_of: the night's date; all rows land, staging selects by month.
        progress: told a line a file.
    """
    began = time.monotonic()
    report = LoadReport(SOURCE)
    if settings.usage is None or settings.usage.monthly_path is None:
        return report
    landing.begin(lake, SOURCE)
    place = settings.usage.monthly_path
    table = schemas.table(SOURCE, TABLE)
    paths = [place] if place.is_file() else sorted(place.rglob("*"))
    root = place.parent if place.is_file() else place
    files = [
        Source(p, p.relative_to(root).as_posix(), table)
        for p in paths
        if p.suffix in tabular.SUFFIXES and not p.name.startswith((".", "_"))
    ]
    history = [w for w in windows.finished(lake, SOURCE) if w.resource == TABLE]
    resets = [i for i, w in enumerate(history) if w.kind == RESET]
    batch = Landing(lake, SOURCE, run_id, report, as_of)
    with landing.holding(lake, SOURCE):
        tabular.load(
            lake, files, history[resets[-1] + 1 if resets else 0 :], batch, report, progress
        )
    report.seconds = time.monotonic() - began
    return report


def reset(lake: Lake, *, run_id: str) -> LoadReport:
    """Forgets which files were read: the next run reads them again."""
    report = LoadReport(SOURCE)
    landing.begin(lake, SOURCE)
    batch = Landing(lake, SOURCE, run_id, report)
    batch.add_window(Window(TABLE, RESET))
    batch.flush()
    return report
