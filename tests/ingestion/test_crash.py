"""Killed at any moment and started again, the lake holds every row exactly once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ingestion.billing import stripe
from ingestion.crm import salesforce
from ingestion.desk import files
from ingestion.lake import Lake
from ingestion.usage import event_files
from tests.ingestion.conftest import LOAD, Serve

# A child that flushes often, so that a kill meets windows, half-written files and finished loads.
CHILD = """
import sys
from datetime import date
from ingestion import landing
from ingestion.billing import stripe
from ingestion.crm import salesforce
from ingestion.desk import files
from ingestion.lake import Lake
from ingestion.settings import load_settings
from ingestion.usage import event_files
landing.FLUSH_ROWS = 400
stripe._BATCH = 200
event_files.BATCH_BYTES = 400_000
settings = load_settings()
lake = Lake.at(settings.home)
print("ready", flush=True)
for source in (stripe, salesforce, event_files, files):
    source.run(settings, lake, run_id="child", as_of=date(2026, 4, 30), progress=print)
print("done", flush=True)
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


@pytest.mark.parametrize("step", [0.35, 0.8])
def test_killed_again_and_again_every_row_is_there_once(
    step: float, lake: Lake, serve: Serve, tmp_path: Path
) -> None:
    root = Path(__file__).parents[2]
    with serve(event_days=12) as (_, settings):
        calm = Lake.at(tmp_path / "calm")
        for source in (stripe, salesforce, event_files, files):
            source.run(settings, calm, **LOAD)
        kills, finished = 0, False
        deadline = time.monotonic() + 150
        while not finished and time.monotonic() < deadline:
            child = subprocess.Popen(
                [sys.executable, "-c", CHILD],
                cwd=root,
                env=os.environ | {"PYTHONPATH": str(root)},
                stdout=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
            assert child.stdout is not None
            assert child.stdout.readline() == "ready\n"
            try:
                # Each life is longer than the last, so kills fall all over the work.
                child.communicate(timeout=step * (kills + 1))
                finished = child.returncode == 0
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()
                kills += 1
    assert finished
    assert kills >= 3
    for (source, table), columns in KEYS.items():
        sql = f"select {columns} from t order by all"
        expected = calm.read(source, table, sql).to_pylist()
        assert expected
        assert lake.read(source, table, sql).to_pylist() == expected, (source, table)
    sql = "select distinct message_id, event_at, workspace_id from t order by all"
    assert lake.read("usage", "events", sql).equals(calm.read("usage", "events", sql))
    assert not list(lake.root.rglob(".*.tmp"))
