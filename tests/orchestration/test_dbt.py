"""The parsed project, which several processes want at the same moment."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from orchestration.dbt import load_manifest

_LOAD = """
import sys
from pathlib import Path
from orchestration.dbt import load_manifest
print(len(load_manifest(Path(sys.argv[1]))["nodes"]))
"""
_PROJECT = """
name: small
version: "1.0.0"
profile: tenure
config-version: 2
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of one model."""
    (tmp_path / "models").mkdir()
    (tmp_path / "dbt_project.yml").write_text(_PROJECT)
    (tmp_path / "models" / "one.sql").write_text("select 1 as n")
    return tmp_path


def manifest(project: Path) -> Path:
    return project / "target" / "definitions" / "manifest.json"


def test_processes_that_start_together_all_read_a_whole_project(project: Path) -> None:
    command = [sys.executable, "-c", _LOAD, str(project)]
    together = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    counts = [process.communicate(timeout=120)[0].strip() for process in together]
    assert counts == ["1", "1"]
    assert not list(manifest(project).parent.glob("*.whole"))


def test_a_project_is_parsed_again_only_when_a_file_is_newer(project: Path) -> None:
    first = load_manifest(project)
    written = manifest(project).stat().st_mtime_ns
    assert load_manifest(project) == first
    assert manifest(project).stat().st_mtime_ns == written
    second_model = project / "models" / "two.sql"
    second_model.write_text("select 2 as n")
    later = written / 1e9 + 60
    os.utime(second_model, (later, later))
    assert len(load_manifest(project)["nodes"]) == 2


def test_a_project_that_cannot_be_parsed_is_named(project: Path) -> None:
    (project / "models" / "one.sql").write_text("select * from {{ ref('nowhere') }}")
    with pytest.raises(RuntimeError, match=f"dbt cannot parse {project.name}/"):
        load_manifest(project)
