"""The success desk's files: `<table>.csv` (or .parquet), or a folder `<table>/` of them.

Belongs here: which file fills which table. Must not be here: reading rows (see `tabular`).

Deliberately not loaded: columns that no table declares (free text, notes about people), and
spreadsheets; they are saved as CSV, which says what it holds.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

from ingestion import landing, schemas, tabular, windows
from ingestion.lake import Lake
from ingestion.landing import Landing
from ingestion.reports import LoadReport
from ingestion.settings import Settings
from ingestion.tabular import Source
from ingestion.windows import RESET, Window

SOURCE = "desk"


def run(
    settings: Settings,
    lake: Lake,
    *,
    run_id: str,
    as_of: date,
    progress: Callable[[str], None],
) -> LoadReport:
    """Loads what is new or changed in the desk's files.

    Args:
        settings: with the desk configured.
        lake: where to land.
        run_id: the run's id, kept with rejects and windows.
        as_of: the night's date; all rows land, staging selects by `known_at`.
        progress: told a line a file.

    Raises:
        ValueError: if the desk is not configured.
    """
    if settings.desk is None:
        raise ValueError("The desk is not configured; set TENURE_DESK_PATH.")
    began = time.monotonic()
    report = LoadReport(SOURCE)
    landing.begin(lake, SOURCE)
    files, unknown = find(settings.desk.path)
    for name in unknown:
        report.note(f"{name} is not loaded: no table of the desk has that name.")
    with landing.holding(lake, SOURCE):
        history = _since_reset(windows.finished(lake, SOURCE))
        batch = Landing(lake, SOURCE, run_id, report, as_of)
        tabular.load(lake, files, history, batch, report, progress)
    report.seconds = time.monotonic() - began
    return report


def reset(lake: Lake, *, resource: str, run_id: str) -> LoadReport:
    """Forgets which files of a table were read: the next run reads them again."""
    schemas.table(SOURCE, resource)
    report = LoadReport(SOURCE)
    landing.begin(lake, SOURCE)
    batch = Landing(lake, SOURCE, run_id, report)
    batch.add_window(Window(resource, RESET))
    batch.flush()
    return report


def check(settings: Settings) -> str:
    """Looks for files; returns what a person should read."""
    if settings.desk is None:
        raise ValueError("The desk is not configured; set TENURE_DESK_PATH.")
    files, _ = find(settings.desk.path)
    return f"The desk has {len(files)} files in {settings.desk.path}."


def find(folder: Path) -> tuple[list[Source], list[str]]:
    """Files that fill a table, and names of those that fill none."""
    known = {t.name: t for t in schemas.landed_tables() if t.source == SOURCE}
    found: list[Source] = []
    unknown: list[str] = []
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder)
        hidden = any(part.startswith((".", "_", "~")) for part in relative.parts)
        if not path.is_file() or hidden or path.suffix not in tabular.SUFFIXES:
            continue
        name = relative.parts[0] if len(relative.parts) > 1 else path.stem
        if name in known:
            found.append(Source(path, relative.as_posix(), known[name]))
        else:
            unknown.append(relative.as_posix())
    return found, unknown


def _since_reset(history: list[Window]) -> list[Window]:
    reset_at = {w.resource: i for i, w in enumerate(history) if w.kind == RESET}
    return [w for i, w in enumerate(history) if i > reset_at.get(w.resource, -1)]
