"""The same seed gives the same bytes: tables, truth, event files, desk, in any process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
#: Builds a company, writes everything there is of it, and prints a checksum a file.
SCRIPT = """
import hashlib, json, pathlib, sys
from datetime import UTC, date, datetime
from sample_company.export import CompanyFiles
from sample_company.world import WorldConfig, build_world

out = pathlib.Path(sys.argv[1])
world = build_world(WorldConfig(size="small", seed=int(sys.argv[2]), horizon=date(2026, 6, 30)))
for part, tables in (("tables", world.tables), ("truth", world.truth)):
    (out / part).mkdir(parents=True)
    for name, frame in tables.items():
        frame.to_parquet(out / part / f"{name}.parquet", index=False)
CompanyFiles(world, out / "files", event_days=14).extend(datetime(2026, 7, 1, tzinfo=UTC))
paths = sorted(path for path in out.rglob("*") if path.is_file())
print(json.dumps({str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest()
                  for path in paths}))
"""


def start(out: Path, seed: int, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(out), str(seed)],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        text=True,
    )


def checksums(run: subprocess.Popen[str]) -> dict[str, str]:
    said, _ = run.communicate(timeout=600)
    assert run.returncode == 0
    found: dict[str, str] = json.loads(said)
    return found


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, str]]:
    """Checksums of the files of one company written twice, and of another."""
    # Neither the order of sets nor the machine's time zone may matter.
    folder = tmp_path_factory.mktemp("companies")
    runs = [
        start(folder / "first", 1, PYTHONHASHSEED="1", TZ="UTC"),
        start(folder / "second", 1, PYTHONHASHSEED="2", TZ="Asia/Tokyo"),
        start(folder / "other", 2),
    ]
    return [checksums(run) for run in runs]


def test_two_runs_write_the_same_bytes(written: list[dict[str, str]]) -> None:
    first, second, _ = written
    assert set(first) == set(second)
    assert [path for path in first if first[path] != second[path]] == []
    kinds = {path.split("/")[0] + Path(path).suffix for path in first}
    assert {"tables.parquet", "truth.parquet", "files.parquet", "files.jsonl", "files.gz",
            "files.csv"} <= kinds  # fmt: skip
    assert sum(path.startswith("files/events/") for path in first) == 14 + 1


def test_another_seed_is_another_company(written: list[dict[str, str]]) -> None:
    first, _, other = written
    for path in ("truth/truth_mrr.parquet", "tables/invoices.parquet", "truth/truth_mess.parquet",
                 "files/desk/survey_responses.csv", "files/events/manifest.jsonl"):  # fmt: skip
        assert first[path] != other[path], path
