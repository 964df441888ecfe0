"""Worlds are built once a session, whichever worker asks first."""

from __future__ import annotations

import os

import pytest

from tests.sample_company import world_core


@pytest.fixture(scope="session", autouse=True)
def shared_worlds(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Point the shared worlds at a folder that all workers of this session see."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base) / "worlds"
    folder.mkdir(exist_ok=True)
    world_core.FOLDERS[:] = [folder]
