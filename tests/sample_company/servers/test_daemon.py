"""The background process: started once, found again, survived when killed, and polite to files."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import requests

from sample_company import cli, daemon
from sample_company.daemon import DaemonError, Plan

ROOT = Path(__file__).resolve().parents[3]
SMALL = ["--size", "small", "--event-days", "40"]
NOW = [*SMALL, "--now", "2024-06-10"]


def command(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sample_company", *arguments],
        cwd=ROOT,
        env={**os.environ, "TENURE_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def settings(home: Path) -> dict[str, str]:
    lines = (home / "tenure.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if not line.startswith("#"))


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    command(tmp_path, "stop")


def test_a_life(home: Path) -> None:
    first = command(home, "start", *NOW)
    assert first.returncode == 0, first.stderr
    assert "building the small company" in first.stdout
    lines = first.stdout.splitlines()
    assert lines[-2].startswith("serving small company, seed 1, as of 2024-06-10 00:00 UTC")
    assert (home / "tenure.env").read_text().startswith(daemon.MARK)
    given = settings(home)
    answer = requests.get(given["STRIPE_API_BASE"] + "/v1/customers",
                          auth=(given["STRIPE_API_KEY"], ""), timeout=10)  # fmt: skip
    assert answer.json()["data"]

    again = command(home, "start", *NOW)
    assert "already running" in again.stdout
    assert settings(home) == given

    state = daemon.read_state(home / ".sample_company")
    assert state is not None
    assert command(home, "fault", "server_error", "--service", "stripe").returncode == 0
    statuses = [requests.get(given["STRIPE_API_BASE"] + "/v1/charges",
                             auth=(given["STRIPE_API_KEY"], ""), timeout=10).status_code
                for _ in range(2)]  # fmt: skip
    assert statuses == [500, 200]

    # Killed without warning, it starts again on the same ports with the files it had.
    os.kill(state["pid"], signal.SIGKILL)
    time.sleep(0.2)
    assert command(home, "status").returncode == 3
    events = Path(given["TENURE_EVENTS_PATH"])
    files = {p: p.stat().st_mtime_ns for p in events.rglob("*") if p.is_file()}
    revived = command(home, "start", *NOW)
    assert revived.returncode == 0, revived.stderr
    assert "building" not in revived.stdout
    assert settings(home) == given
    assert {p: p.stat().st_mtime_ns for p in events.rglob("*") if p.is_file()} == files

    # A later day is another clock: the process is replaced and the new days are added.
    later = command(home, "start", *SMALL, "--now", "2024-06-12")
    assert later.returncode == 0, later.stderr
    new = {p for p in events.rglob("*") if p.is_file()} - set(files)
    assert {p.name.split(".")[0] for p in new} == {"events-2024-06-10", "events-2024-06-11"}
    for path, written in files.items():
        assert path.name == "manifest.jsonl" or path.stat().st_mtime_ns == written

    status = command(home, "status")
    assert status.returncode == 0
    assert "as of 2024-06-12" in status.stdout
    assert command(home, "stop").stdout == "stopped\n"
    assert command(home, "stop").stdout == "nothing is running\n"


def test_somebody_elses_settings_are_never_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TENURE_HOME", str(tmp_path))
    monkeypatch.delenv("TENURE_ENV_FILE", raising=False)
    own = tmp_path / "tenure.env"
    own.write_text("STRIPE_API_KEY=rk_live_mine\n")
    assert cli.main(["start", *NOW]) == 1
    assert "was not written by the sample company" in capsys.readouterr().err
    assert cli.main(["start", "--unless-configured", *NOW]) == 0
    assert "not needed" in capsys.readouterr().out
    assert own.read_text() == "STRIPE_API_KEY=rk_live_mine\n"
    own.unlink()
    monkeypatch.setenv("TENURE_DESK_PATH", str(tmp_path))
    assert cli.main(["start", "--unless-configured", *NOW]) == 0
    assert "the environment (TENURE_DESK_PATH)" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


def test_a_state_file_of_a_dead_process_is_no_running_company(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TENURE_HOME", str(tmp_path))
    folder = tmp_path / ".sample_company"
    folder.mkdir()
    (folder / "daemon.json").write_text('{"pid": 1, "control": 9, "token": "x"}')
    assert daemon.status() is None
    assert daemon.stop() is False
    (folder / "daemon.json").write_text("{half")
    assert daemon.status() is None
    with pytest.raises(DaemonError, match="No sample company is running"):
        daemon.add_fault(None)


def test_the_world_is_built_ahead_of_the_clock_and_starts_where_it_always_did() -> None:
    config = Plan(size="small", now=datetime(2025, 12, 28, tzinfo=UTC)).config()
    assert (config.first_day, config.last_day) == (date(2021, 1, 1), date(2026, 1, 31))
    assert Plan(now=datetime(2026, 6, 10, tzinfo=UTC)).config().last_day == date(2026, 6, 30)


def test_values_that_need_quotes_get_them() -> None:
    text = daemon.settings_text({"A": "/plain/path", "B": "/with space/x"})
    assert text.splitlines()[-2:] == ["A=/plain/path", 'B="/with space/x"']


def test_help_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        cli.main(["--help"])
    assert left.value.code == 0
    said = capsys.readouterr().out
    for word in ("start", "stop", "status", "serve", "build", "export", "fault", "tenure.env"):
        assert word in said
