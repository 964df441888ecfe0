"""Killed at any moment and started again, the lake holds every row exactly once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from threading import Timer

from ingestion.billing import stripe
from ingestion.crm import salesforce
from ingestion.desk import files
from ingestion.lake import Lake
from ingestion.usage import event_files
from tests.ingestion.conftest import LOAD, Serve, clean_environment, lake, serve, world

__all__ = ["clean_environment", "lake", "serve", "world"]

# A life flushes often, so that a kill meets windows, half-written files and finished loads. Lives
# are forked from a process that has imported everything: the lives are what is to be tested.
NURSERY = """
import os, sys
from datetime import date
import dlt
from ingestion import landing
from ingestion.billing import stripe
from ingestion.crm import salesforce
from ingestion.desk import files
from ingestion.lake import Lake
from ingestion.settings import load_settings
from ingestion.usage import event_files
landing.FLUSH_ROWS = 1200
stripe._BATCH = 400
event_files.BATCH_BYTES = 400_000
settings = load_settings()
lake = Lake.at(settings.home)
print("ready", flush=True)
for _ in sys.stdin:
    life = os.fork()
    if life == 0:
        for source in (stripe, salesforce, event_files, files):
            source.run(settings, lake, run_id="life", as_of=date(2026, 5, 1),
                       progress=lambda _: None)
        os._exit(0)
    print(life, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(life, 0)[1]), flush=True)
"""
KEYS = {
    ("stripe", "customers"): "id",
    ("stripe", "subscriptions"): "id, status",
    ("stripe", "subscription_items"): "id, quantity",
    ("stripe", "invoices"): "id, status, amount_paid",
    ("stripe", "invoice_lines"): "id, amount",
    ("stripe", "charges"): "id, invoice_id",
    ("salesforce", "account"): "id, system_modstamp",
    ("salesforce", "task"): "id, system_modstamp",
    ("salesforce", "account_history"): "id",
    ("desk", "service_levels"): "account_id, measured_on, kpi_name",
    ("desk", "risk_assessments"): "risk_assessment_id",
    ("usage", "usage_monthly"): "workspace_id, month",
}


def test_killed_again_and_again_every_row_is_there_once(
    lake: Lake,
    serve: Serve,
    tmp_path: Path,
) -> None:
    root = Path(__file__).parents[2]
    with serve(event_days=4) as (_, settings):
        calm = Lake.at(tmp_path / "calm")
        for source in (stripe, salesforce, event_files, files):
            source.run(settings, calm, **LOAD)
        with subprocess.Popen(
            [sys.executable, "-c", NURSERY],
            cwd=root,
            env=os.environ | {"PYTHONPATH": str(root)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as nursery:
            kills = _live_and_die(nursery)
    assert kills >= 3
    for (source, table), columns in KEYS.items():
        sql = f"select {columns} from t order by all"
        expected = calm.read(source, table, sql).to_pylist()
        assert expected
        assert lake.read(source, table, sql).to_pylist() == expected, (source, table)
    sql = "select distinct message_id, event_at, workspace_id from t order by all"
    assert lake.read("usage", "events", sql).equals(calm.read("usage", "events", sql))
    assert not list(lake.root.rglob(".*.tmp"))


def _live_and_die(nursery: subprocess.Popen[str]) -> int:
    """Lives, each longer than the last so that kills fall all over the work, until one ends."""
    assert nursery.stdin is not None
    assert nursery.stdout is not None
    assert nursery.stdout.readline() == "ready\n"
    kills, seconds = 0, 0.25
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        nursery.stdin.write("live\n")
        nursery.stdin.flush()
        life = int(nursery.stdout.readline())
        timer = Timer(seconds, os.kill, (life, signal.SIGKILL))
        timer.start()
        code = int(nursery.stdout.readline())
        timer.cancel()
        if code == 0:
            nursery.stdin.close()
            return kills
        assert code == -signal.SIGKILL
        kills, seconds = kills + 1, seconds * 1.5
    raise AssertionError("no life was long enough")
