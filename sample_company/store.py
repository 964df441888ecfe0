"""A built world kept as Parquet, so that starting again takes a second instead of a build.

Belongs here: the cache of worlds and what makes one valid (size, seed, start, horizon, code). Does
not belong here: building, serving, or files that outsiders read.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import uuid
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from sample_company.world import World, WorldConfig

_META = "world.json"


def fingerprint(*parts: str) -> str:
    """Hash of this package's source files whose path begins with one of the parts (all without)."""
    root = Path(__file__).parent
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        name = path.relative_to(root).as_posix()
        if not parts or name.startswith(parts):
            digest.update(name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def world_code() -> str:
    """Fingerprint of the code that decides what happens in a world."""
    return fingerprint("world/", "rng.py", "ids.py", "clock.py")


def company_key(config: WorldConfig) -> str:
    """Names the company: everything but how far its history has been written."""
    size = f"accounts{config.accounts}" if config.accounts is not None else config.size
    density = f"-events{config.events_per_day}" if config.events_per_day is not None else ""
    start = config.first_day.strftime("%Y%m")
    return f"{size}-seed{config.seed}-{start}{density}-{world_code()}"


def load_or_build(
    folder: Path, config: WorldConfig, progress: Callable[[str], None] = lambda _: None
) -> World:
    """The world from the cache, or built and then cached.

    A cached world of the same company with a later horizon serves as well: it contains this one.
    Safe to be killed and to be run twice at once: a world appears whole, by a rename.
    """
    key = company_key(config)
    found = _newest(folder, key)
    if found is not None and found[0] >= config.last_day:
        return _load(found[1], config, found[0])
    from sample_company.world import build_world

    progress(f"building the {config.size} company up to {config.last_day.isoformat()} ...")
    world = build_world(config)
    target = folder / f"{key}-{config.last_day.isoformat()}"
    _save(world, target)
    _prune(folder, keep=target)
    return world


def _newest(folder: Path, key: str) -> tuple[date, Path] | None:
    candidates = []
    for path in folder.glob(f"{key}-20*"):
        if (path / _META).is_file():
            meta = json.loads((path / _META).read_text())
            candidates.append((date.fromisoformat(meta["horizon"]), path))
    return max(candidates, default=None)


def _save(world: World, target: Path) -> None:
    scratch = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}")
    kinds: dict[str, dict[str, dict[str, str]]] = {}
    for part, tables in (("tables", world.tables), ("truth", world.truth)):
        (scratch / part).mkdir(parents=True)
        kinds[part] = {}
        for name, frame in tables.items():
            frame.reset_index(drop=True).to_parquet(scratch / part / f"{name}.parquet")
            kinds[part][name] = {str(c): str(kind) for c, kind in frame.dtypes.items()}
    meta = {"horizon": world.config.last_day.isoformat(), "types": kinds}
    (scratch / _META).write_text(json.dumps(meta))
    if target.exists():
        shutil.rmtree(target)
    scratch.rename(target)


def _load(path: Path, config: WorldConfig, horizon: date) -> World:
    from dataclasses import replace

    import pandas as pd

    from sample_company.world import World

    types: Mapping[str, Mapping[str, Mapping[str, str]]] = json.loads((path / _META).read_text())[
        "types"
    ]
    parts: dict[str, dict[str, pd.DataFrame]] = {}
    for part, tables in types.items():
        parts[part] = {}
        for name, kinds in tables.items():
            frame = pd.read_parquet(path / part / f"{name}.parquet")
            wrong = {c: kind for c, kind in kinds.items() if str(frame[c].dtype) != kind}
            # Parquet has no second resolution; the world's dates come back finer than they were.
            parts[part][name] = frame.astype(wrong) if wrong else frame
    return World(
        config=replace(config, horizon=horizon), tables=parts["tables"], truth=parts["truth"]
    )


def _prune(folder: Path, keep: Path) -> None:
    """Only the newest world of a size and seed is kept."""
    company = keep.name.split("-20", 1)[0]
    stem = "-".join(company.split("-")[:2])
    for path in folder.glob(f"{stem}-*"):
        if path != keep and path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
