"""The folders of published nights and the link that readers follow.

Belongs here: naming, listing, switching and removing nights. Must not be here: what a night holds.
"""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from datetime import date
from pathlib import Path

KEPT_NIGHTS = 7

_NAME = re.compile(r"^(?P<as_of>\d{4}-\d{2}-\d{2})-(?P<run>[0-9a-z]+)$")
_BUILDING = ".building-"


class PublishError(Exception):
    """A night cannot be published or switched to; the message says why and what to do."""


@dataclass(frozen=True, order=True)
class Night:
    """One published night: the date it is as of, when its folder was completed, and the folder."""

    as_of: date
    completed_ns: int
    path: Path

    @property
    def name(self) -> str:
        """Folder name, `<as_of>-<run>`."""
        return self.path.name


def building_path(published: Path, as_of: date, run_id: str) -> Path:
    """Return the folder a night is built in before it gets its name."""
    return published / f"{_BUILDING}{as_of.isoformat()}-{_short(run_id)}"


def final_path(published: Path, as_of: date, run_id: str) -> Path:
    """Return the folder of a finished night."""
    return published / f"{as_of.isoformat()}-{_short(run_id)}"


def nights(published: Path) -> list[Night]:
    """List finished nights, oldest first (by date, then by completion)."""
    found = []
    if not published.is_dir():
        return []
    for path in published.iterdir():
        match = _NAME.match(path.name)
        if match and path.is_dir() and (path / "manifest.json").exists():
            completed = (path / "manifest.json").stat().st_mtime_ns
            found.append(Night(date.fromisoformat(match["as_of"]), completed, path))
    return sorted(found)


def newest(published: Path, as_of: date) -> Night:
    """Return the night of a date that was completed last.

    Raises:
        PublishError: none of that date is kept.
    """
    found = [night for night in nights(published) if night.as_of == as_of]
    if not found:
        raise PublishError(f"There is no night of {as_of} in {published}. Publish it first.")
    return found[-1]


def current(published: Path) -> Path | None:
    """Return the folder that readers see now, or None when nothing was published yet."""
    link = published / "current"
    if not link.is_symlink():
        return None
    target = published / link.readlink()
    return target if target.is_dir() else None


def switch(published: Path, target: Path) -> None:
    """Point `current` at `target` in one atomic step: a reader sees the old night or the new one.

    Raises:
        PublishError: if the target is not a finished night of this folder.
    """
    if target.parent != published or not (target / "manifest.json").exists():
        raise PublishError(f"{target} is not a finished night of {published}.")
    beside = published / f".current-{os.getpid()}"
    beside.unlink(missing_ok=True)
    beside.symlink_to(target.name)
    beside.replace(published / "current")
    _sync_folder(published)


def roll_back(published: Path, to: date | None = None) -> Night:
    """Point `current` at an earlier night and return it.

    Args:
        published: the folder of nights.
        to: the date wanted; None means the newest night of a date before the one shown now.

    Raises:
        PublishError: if there is no such night.
    """
    kept = nights(published)
    shown = current(published)
    if to is None:
        if shown is None:
            raise PublishError("Nothing is published yet, so there is nothing to roll back.")
        shown_as_of = next((n.as_of for n in kept if n.path == shown), None)
        candidates = [n for n in kept if shown_as_of is not None and n.as_of < shown_as_of]
    else:
        candidates = [n for n in kept if n.as_of == to]
    if not candidates:
        dates = ", ".join(sorted({n.as_of.isoformat() for n in kept})) or "none"
        wanted = f"of {to.isoformat()}" if to else "before the one shown"
        raise PublishError(f"There is no night {wanted} to roll back to. Nights kept: {dates}.")
    night = candidates[-1]
    switch(published, night.path)
    return night


def prune(published: Path, keep: int = KEPT_NIGHTS) -> list[Path]:
    """Remove older runs of a date, dates past `keep`, and half-built folders.

    The night that readers see is never removed. Returns the folders removed.
    """
    shown = current(published)
    newest_of_date = {night.as_of: night for night in nights(published)}
    kept = {newest_of_date[d].path for d in sorted(newest_of_date, reverse=True)[:keep]}
    stale = [n.path for n in nights(published) if n.path not in kept and n.path != shown]
    # Only the run that holds the warehouse publishes: a folder still being built is a dead run's.
    stale += [p for p in published.iterdir() if p.name.startswith((_BUILDING, ".current-"))]
    for path in stale:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    return stale


def _short(run_id: str) -> str:
    short = re.sub(r"[^0-9a-z]", "", run_id.lower())[:8]
    if not short:
        raise PublishError(f"run id {run_id!r} has no letter or digit to name a folder with.")
    return short


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
