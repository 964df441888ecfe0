"""A run whose process is gone is ended, so that it does not hold its place in a pool for ever."""

import os
import subprocess
import sys
from collections.abc import Iterator

import dagster as dg
import pytest

from orchestration import processes


@dg.op
def nothing() -> None:
    pass


@dg.job
def small_job() -> None:
    nothing()


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test() as instance:
        yield instance


def started_run(instance: dg.DagsterInstance, identity: str | None) -> str:
    tags = {} if identity is None else {processes.PROCESS_TAG: identity}
    run = instance.create_run_for_job(small_job, tags=tags, status=dg.DagsterRunStatus.STARTED)
    return run.run_id


def dead_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def status(instance: dg.DagsterInstance, run_id: str) -> dg.DagsterRunStatus:
    run = instance.get_run_by_id(run_id)
    assert run is not None
    return run.status


def test_a_killed_run_is_ended_and_frees_its_pool(instance: dg.DagsterInstance) -> None:
    storage = instance.event_log_storage
    storage.set_concurrency_slots("warehouse", 1)
    dead = started_run(instance, processes._identity(dead_pid()))
    assert storage.claim_concurrency_slot("warehouse", dead, "step").is_claimed

    assert processes.end_dead_runs(instance, own_run_id="me") == [dead]

    assert status(instance, dead) is dg.DagsterRunStatus.FAILURE
    assert storage.get_concurrency_info("warehouse").active_slot_count == 0


def test_a_living_run_is_left_alone(instance: dg.DagsterInstance) -> None:
    living = started_run(instance, processes._identity(os.getpid()))
    assert processes.end_dead_runs(instance, own_run_id="me") == []
    assert status(instance, living) is dg.DagsterRunStatus.STARTED


def test_a_number_borne_by_a_later_process_is_not_taken_for_the_run(
    instance: dg.DagsterInstance,
) -> None:
    host, pid, _ = processes._identity(os.getpid()).rsplit(":", 2)
    reused = started_run(instance, f"{host}:{pid}:1")
    assert processes.end_dead_runs(instance, own_run_id="me") == [reused]


@pytest.mark.parametrize("identity", [None, "elsewhere:1:1"])
def test_runs_that_cannot_be_judged_from_here_are_left_alone(
    instance: dg.DagsterInstance, identity: str | None
) -> None:
    run = started_run(instance, identity)
    assert processes.end_dead_runs(instance, own_run_id="me") == []
    assert status(instance, run) is dg.DagsterRunStatus.STARTED
