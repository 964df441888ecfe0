"""The parsed project, which several processes want at the same moment."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from orchestration.dbt import load_manifest

_LOAD = """
import sys
from pathlib import Path
from orchestration.dbt import load_manifest
print(len(load_manifest(Path(sys.argv[1]))["nodes"]))
"""


def test_processes_that_start_together_all_read_a_whole_project(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _LOAD, str(tmp_path)]
    together = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    counts = {process.communicate(timeout=120)[0].strip() for process in together}
    assert [process.returncode for process in together] == [0, 0, 0]
    assert counts == {str(len(load_manifest(tmp_path)["nodes"]))}


def test_a_project_that_did_not_change_is_not_parsed_again(tmp_path: Path) -> None:
    load_manifest(tmp_path)
    written = (tmp_path / "manifest.json").stat().st_mtime_ns
    load_manifest(tmp_path)
    assert (tmp_path / "manifest.json").stat().st_mtime_ns == written
