"""The product knows its sample company only as it knows any vendor's account: by protocol."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("ingestion", "dbt_project", "scoring", "orchestration", "publishing")
KINDS = (".py", ".sql", ".yml", ".yaml", ".csv", ".md")
NAMES = re.compile(r"sample.?company|simulat|truth_\w+", re.IGNORECASE)


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_word_of_it_stands_in_the_product(folder: str) -> None:
    files = [
        file
        for file in (ROOT / folder).rglob("*")
        if file.suffix in KINDS and "target" not in file.relative_to(ROOT).parts
    ]
    assert files
    found = {
        f"{file.relative_to(ROOT)}:{number}": line.strip()
        for file in files
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1)
        if NAMES.search(line)
    }
    assert found == {}
