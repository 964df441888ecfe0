from __future__ import annotations

import dataclasses
import datetime as dt
import json
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

import scoring
from scoring import history, registry
from scoring.config import TrainConfig
from scoring.errors import FrameError, RegistryError
from scoring.evaluation import Interval
from scoring.training import Comparison
from tests.scoring.worlds import AS_OF, BANDS, SCORED_AT, with_losses, world

QUICK = TrainConfig(replicates=2)


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return world(accounts=200)


@pytest.fixture(scope="module")
def model(frame: pd.DataFrame) -> scoring.Model:
    return scoring.train(frame, "next_renewal", AS_OF, QUICK)


def _score(model: scoring.Model, frame: pd.DataFrame, run: str = "run-1") -> pd.DataFrame:
    return scoring.score(model, frame, AS_OF, bands=BANDS, scored_at=SCORED_AT, run_id=run)


@pytest.fixture(scope="module")
def rows(model: scoring.Model, frame: pd.DataFrame) -> pd.DataFrame:
    return _score(model, frame)


def _bytes(folder: Path) -> dict[str, bytes]:
    files = (p for p in sorted(folder.rglob("*")) if p.is_file())
    return {str(p.relative_to(folder)): p.read_bytes() for p in files}


def test_a_second_append_adds_nothing(tmp_path: Path, rows: pd.DataFrame) -> None:
    assert history.append(tmp_path, rows) == len(rows)
    before = _bytes(tmp_path)
    later = rows.assign(run_id="run-2", p=0.5, scored_at=rows["scored_at"] + pd.Timedelta(hours=1))
    assert history.append(tmp_path, later) == 0
    assert _bytes(tmp_path) == before
    stored = history.read(tmp_path)
    assert set(stored["run_id"]) == {"run-1"}
    assert len(stored) == len(rows)
    assert history.scored_days(tmp_path, "next_renewal", is_backfill=False) == [AS_OF]
    assert history.scored_days(tmp_path, "next_renewal", is_backfill=True) == []


def test_only_new_keys_are_appended(tmp_path: Path, rows: pd.DataFrame) -> None:
    assert history.append(tmp_path, rows.iloc[:10]) == 10
    assert history.append(tmp_path, rows) == len(rows) - 10
    assert history.append(tmp_path, rows.assign(is_backfill=True)) == len(rows)
    assert len(history.read(tmp_path)) == 2 * len(rows)


def test_a_crash_between_file_and_marker_leaves_nothing_visible(
    tmp_path: Path, rows: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = history._write_bytes

    def dies_at_the_marker(path: Path, content: bytes) -> None:
        if "_dlt_loads" in path.parts:
            raise OSError("power cut")
        whole(path, content)

    monkeypatch.setattr(history, "_write_bytes", dies_at_the_marker)
    with pytest.raises(OSError, match="power cut"):
        history.append(tmp_path, rows)
    assert len(list((tmp_path / "scores" / "churn_score_history").glob("2*.parquet"))) == 1
    assert history.read(tmp_path).empty
    monkeypatch.setattr(history, "_write_bytes", whole)
    later = rows.assign(scored_at=rows["scored_at"] + pd.Timedelta(hours=1), run_id="run-2")
    assert history.append(tmp_path, later) == len(rows)
    stored = history.read(tmp_path)
    assert len(stored) == len(rows)
    assert set(stored["run_id"]) == {"run-2"}


def test_a_torn_marker_is_no_marker(tmp_path: Path, rows: pd.DataFrame) -> None:
    history.append(tmp_path, rows)
    marker = next((tmp_path / "scores" / "_dlt_loads").glob("*.jsonl"))
    marker.write_text(marker.read_text()[:12])
    assert history.read(tmp_path).empty
    assert history.append(tmp_path, rows) == len(rows)
    assert len(history.read(tmp_path)) == len(rows)


def test_a_marker_is_what_staging_reads(tmp_path: Path, rows: pd.DataFrame) -> None:
    history.append(tmp_path, rows)
    (marker,) = (tmp_path / "scores" / "_dlt_loads").glob("*.jsonl")
    record = json.loads(marker.read_text())
    table = pq.read_table(
        tmp_path / "scores" / "churn_score_history" / f"{record['load_id']}.0.parquet"
    )
    assert table.schema == history.CHURN_SCORES.schema
    assert record["status"] == 0
    assert set(table["_dlt_load_id"].to_pylist()) == {record["load_id"]}
    # Known at the end of the day that was scored, though the run was the morning after.
    assert set(table["_version_at"].to_pylist()) == {
        dt.datetime(2025, 6, 30, 23, 59, 59, 999999, dt.UTC)
    }


def test_an_empty_lake_has_a_typed_empty_table(tmp_path: Path) -> None:
    assert history.read(tmp_path).empty
    history.ensure_anchor(tmp_path)
    anchor = tmp_path / "scores" / "churn_score_history" / "_anchor.parquet"
    assert pq.read_table(anchor).num_rows == 0
    assert pq.read_schema(anchor) == history.CHURN_SCORES.schema


def test_bad_rows_are_refused(tmp_path: Path, rows: pd.DataFrame) -> None:
    with pytest.raises(FrameError, match="lack columns: logit"):
        history.append(tmp_path, rows.drop(columns="logit"))
    with pytest.raises(FrameError, match="repeat a key"):
        history.append(tmp_path, pd.concat([rows, rows.head(1)]))
    assert not any(tmp_path.rglob("2*.parquet"))


def test_same_inputs_same_bytes(tmp_path: Path, frame: pd.DataFrame) -> None:
    for name, order in (("a", frame), ("b", frame.sample(frac=1.0, random_state=4))):
        model = scoring.train(order, "next_renewal", AS_OF, QUICK)
        registry.save(tmp_path / name / "models", model)
        history.append(tmp_path / name / "lake", _score(model, order))
    assert _bytes(tmp_path / "a") == _bytes(tmp_path / "b")


@pytest.mark.parametrize("losses", [5, 60])
def test_a_loaded_model_scores_to_the_last_bit(tmp_path: Path, losses: int) -> None:
    frame = with_losses(losses)
    model = scoring.train(frame, "next_renewal", AS_OF, QUICK)
    folder = registry.save(tmp_path, model)
    loaded = registry.load(tmp_path, "next_renewal", model.version)
    pd.testing.assert_frame_equal(_score(loaded, frame), _score(model, frame), check_exact=True)
    assert registry._files(loaded) == registry._files(model)
    manifest = json.loads((folder / "manifest.json").read_text())
    assert len(manifest["data_sha256"]) == 64
    assert {"seed", "parameters", "libraries", "training_cutoff_on"} <= set(manifest)
    assert not list(folder.rglob("*.pkl"))
    assert loaded.config == QUICK


def test_saving_twice_changes_nothing_and_an_edit_is_noticed(
    tmp_path: Path, model: scoring.Model
) -> None:
    folder = registry.save(tmp_path, model)
    before = _bytes(tmp_path)
    assert registry.save(tmp_path, model) == folder
    assert _bytes(tmp_path) == before
    assert registry.versions(tmp_path, "next_renewal") == [model.version]
    (folder / "calibrator.json").write_text("{}")
    with pytest.raises(RegistryError, match=r"another calibrator\.json"):
        registry.save(tmp_path, model)
    with pytest.raises(RegistryError, match="incomplete or damaged"):
        registry.load(tmp_path, "next_renewal", model.version)
    with pytest.raises(RegistryError, match="no model next_renewal/0000"):
        registry.load(tmp_path, "next_renewal", "0000")


def test_a_half_written_version_is_not_a_version(tmp_path: Path, model: scoring.Model) -> None:
    remains = tmp_path / "next_renewal" / f".{model.version}.writing"
    remains.mkdir(parents=True)
    (remains / "manifest.json").write_text("{")
    assert registry.versions(tmp_path, "next_renewal") == []
    registry.save(tmp_path, model)
    assert registry.versions(tmp_path, "next_renewal") == [model.version]
    assert not remains.exists()


def _verdict(low: float, high: float) -> Comparison:
    return Comparison(Interval((low + high) / 2, low, high), rows=100, accounts=20)


def test_promotion_rules(tmp_path: Path, frame: pd.DataFrame, model: scoring.Model) -> None:
    now = dt.datetime(2025, 7, 1, tzinfo=dt.UTC)
    with pytest.raises(RegistryError, match="save model"):
        registry.consider(tmp_path, model, now)
    registry.save(tmp_path, model)
    first = registry.consider(tmp_path, model, now)
    assert (first.is_promoted, first.reason) == (True, "first")
    # Asking again decides nothing new.
    assert registry.consider(tmp_path, model, now) == first
    assert len(registry.promotions(tmp_path)) == 1

    earlier = scoring.train(frame, "next_renewal", dt.date(2025, 5, 31), QUICK)
    registry.save(tmp_path, earlier)
    assert registry.consider(tmp_path, earlier, now).reason == "older"
    later = dt.date(2025, 7, 31)
    refreshed = scoring.train(frame, "next_renewal", later, QUICK)
    registry.save(tmp_path, refreshed)
    assert registry.consider(tmp_path, refreshed, now).reason == "refresh"

    other = dataclasses.replace(QUICK, ridge_c=0.5)
    challenger = scoring.train(frame, "next_renewal", later, other)
    registry.save(tmp_path, challenger)
    assert registry.consider(tmp_path, challenger, now).reason == "not_compared"
    assert not registry.consider(tmp_path, challenger, now, _verdict(-0.02, 0.01)).is_promoted
    assert registry.serving(tmp_path, "next_renewal") == refreshed.version
    assert registry.version_at(tmp_path, "next_renewal", later) == refreshed.version
    assert registry.consider(tmp_path, challenger, now, _verdict(-0.02, -0.01)).is_promoted
    assert registry.serving(tmp_path, "next_renewal") == challenger.version
    assert registry.version_at(tmp_path, "next_renewal", later) == challenger.version
    reasons = [d.reason for d in registry.promotions(tmp_path, "next_renewal")]
    assert reasons == ["first", "older", "refresh", "not_compared", "not_better", "better"]


def test_a_leak_makes_no_challenger(
    tmp_path: Path, frame: pd.DataFrame, model: scoring.Model
) -> None:
    now = dt.datetime(2025, 7, 1, tzinfo=dt.UTC)
    lost = frame["label_is_lost"].astype("float64").fillna(0.0)
    planted = frame.assign(f_usage__innocent_name=lost)
    leaky = scoring.train(planted, "next_renewal", dt.date(2025, 5, 31), QUICK)
    registry.save(tmp_path, leaky)
    registry.consider(tmp_path, leaky, now)
    # Once the field is mended it is a feature like any other, and the procedure is the same.
    mended = frame.assign(f_usage__innocent_name=1.0)
    refreshed = scoring.train(mended, "next_renewal", AS_OF, QUICK)
    registry.save(tmp_path, refreshed)
    assert "f_usage__innocent_name" in refreshed.spec.columns
    assert registry.consider(tmp_path, refreshed, now).reason == "refresh"
    # Without the field at all it is another one.
    registry.save(tmp_path, model)
    assert registry.consider(tmp_path, model, now).reason == "not_compared"


def test_a_month_without_a_fitting_model_has_none(tmp_path: Path, model: scoring.Model) -> None:
    registry.save(tmp_path, model)
    assert registry.version_at(tmp_path, "next_renewal", AS_OF) == model.version
    assert registry.version_at(tmp_path, "next_renewal", dt.date(2025, 5, 31)) is None
    columns = list(model.spec.columns)
    assert registry.version_at(tmp_path, "next_renewal", AS_OF, columns) == model.version
    assert registry.version_at(tmp_path, "next_renewal", AS_OF, columns[1:]) is None


def test_a_torn_promotion_is_no_decision(tmp_path: Path, model: scoring.Model) -> None:
    registry.save(tmp_path, model)
    path = tmp_path / registry.PROMOTIONS
    path.write_text('{"head": "next_ren')
    assert registry.serving(tmp_path, "next_renewal") is None
    registry.consider(tmp_path, model, dt.datetime(2025, 7, 1, tzinfo=dt.UTC))
    assert registry.serving(tmp_path, "next_renewal") == model.version
    assert path.read_text().count("\n") == 1
