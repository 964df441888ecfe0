"""How much comes back: a model or the segment's mean, intervals, text, clocks."""

from __future__ import annotations

import dataclasses
import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from scoring import history, multiple, registry
from scoring.config import MultipleConfig
from scoring.errors import ClockError, FrameError, RegistryError
from tests.scoring.worlds import AS_OF, SCORED_AT, with_multiples, world

SIGNAL = "f_contract__size"
QUICK = MultipleConfig(origins=1)


@pytest.fixture(scope="module")
def base() -> pd.DataFrame:
    return world(accounts=260)


@pytest.fixture(scope="module")
def planted(base: pd.DataFrame) -> pd.DataFrame:
    return with_multiples(base, strength=0.12)


@pytest.fixture(scope="module")
def model(planted: pd.DataFrame) -> multiple.MultipleModel:
    return multiple.train(planted, AS_OF)


def score(model: multiple.MultipleModel, frame: pd.DataFrame, run: str = "r") -> pd.DataFrame:
    return multiple.score(model, frame, AS_OF, scored_at=SCORED_AT, run_id=run)


def test_a_planted_signal_beats_the_mean(
    model: multiple.MultipleModel, planted: pd.DataFrame
) -> None:
    assert model.serves == "model"
    assert model.manifest["choice"] == "lowest squared error out of time"
    errors = {k: v["mean_squared_error"] for k, v in model.metrics["candidates"].items()}
    assert errors[model.recipe] == min(errors.values())
    assert errors[model.recipe] < 0.75 * errors["segment_mean"]
    assert model.metrics["squared_error_against_segment_mean"][model.recipe]["high"] < 0.0
    rows = score(model, planted)
    today = planted[planted["observed_on"] == pd.Timestamp(AS_OF)].set_index("account_id")
    size = today.loc[rows["account_id"], SIGNAL].to_numpy()
    truth = 1.1 + 0.12 * (size - 9.0)
    assert np.corrcoef(rows["multiple"], truth)[0, 1] > 0.9
    assert rows["multiple"].mean() == pytest.approx(truth.mean(), abs=0.03)


@pytest.mark.parametrize("seed", [1, 2])
def test_where_nothing_is_to_be_known_the_mean_serves(base: pd.DataFrame, seed: int) -> None:
    frame = with_multiples(base, strength=0.0, seed=seed)
    model = multiple.train(frame, AS_OF, MultipleConfig(origins=2))
    assert (model.serves, model.member) == ("segment_mean", None)
    assert model.manifest["choice"] == "nothing beat the segment's mean out of time"
    rows = score(model, frame)
    assert rows["multiple"].nunique() == 3
    assert rows["multiple"].between(1.05, 1.15).all()


def test_the_interval_holds_what_it_promises(
    model: multiple.MultipleModel, planted: pd.DataFrame
) -> None:
    found = model.metrics["interval"]
    assert found["level"] == 0.9
    assert found["n"] > 300
    assert found["share"] == pytest.approx(0.9, abs=0.06)
    rows = score(model, planted)
    assert (rows["low"] < rows["multiple"]).all()
    assert (rows["multiple"] < rows["high"]).all()
    # The planted noise has a deviation of .1, so nine tenths lie within .33.
    assert (rows["high"] - rows["low"]).mean() == pytest.approx(0.33, abs=0.08)


def test_a_short_history_serves_means_near_one_without_an_interval(planted: pd.DataFrame) -> None:
    young = planted[planted["account_id"] < "001000020"]
    model = multiple.train(young, dt.date(2022, 8, 31))
    assert (model.serves, model.spread) == ("segment_mean", None)
    assert str(model.manifest["choice"]).startswith("insufficient history")
    day = dt.date(2022, 8, 31)
    rows = multiple.score(model, young, day, scored_at=SCORED_AT, run_id="r")
    assert rows["multiple"].between(0.98, 1.1).all()
    assert rows[["low", "high"]].isna().all().all()
    nothing = multiple.train(planted.head(0), AS_OF)
    assert nothing.means == multiple.SegmentMeans(1.0, {})
    assert score(nothing, planted.head(0)).empty


def test_means_shrink_to_the_company_and_count_renewals_not_rows() -> None:
    renewals = world(accounts=12, years=3)
    frame = renewals.assign(label_arr_multiple=np.where(renewals["segment"] == "SMB", 2.0, 1.0))
    frame.loc[frame["label_is_lost"].fillna(1) == 1, "label_arr_multiple"] = np.nan
    config = MultipleConfig(prior_strength=0.0)
    prepared = multiple.prepare(frame, None, 60, multiple.LABEL)
    kept = prepared.take(~np.isnan(prepared.y))
    ids = kept.renewal_ids()
    distinct = pd.DataFrame({"id": ids, "y": kept.y, "s": kept.rows["segment"]})
    distinct = distinct.drop_duplicates("id")
    means = multiple.segment_means(kept, config)
    assert means.overall == pytest.approx(distinct["y"].mean())
    smb = distinct[distinct["s"] == "SMB"]["y"]
    expected = (20 * means.overall + smb.sum()) / (20 + len(smb))
    assert means.segments["SMB"] == pytest.approx(expected)


def test_later_renewals_do_not_reach_an_earlier_cutoff(planted: pd.DataFrame) -> None:
    cutoff = dt.date(2024, 6, 30)
    matured = planted["label_due_on"] + pd.Timedelta(days=60) <= pd.Timestamp(cutoff)
    changed = planted.copy()
    changed.loc[~matured, "label_arr_multiple"] *= 2.0
    one = multiple.train(planted, cutoff, QUICK)
    assert one.version == multiple.train(changed, cutoff, QUICK).version


def test_a_model_may_not_score_its_own_past(
    model: multiple.MultipleModel, planted: pd.DataFrame
) -> None:
    with pytest.raises(ClockError, match="may not score 2025-05-31"):
        multiple.score(model, planted, dt.date(2025, 5, 31), scored_at=SCORED_AT, run_id="r")
    with pytest.raises(ClockError, match="as a backfill"):
        multiple.score(model, planted, AS_OF, scored_at=SCORED_AT, run_id="r", is_backfill=True)


def test_a_wild_renewal_teaches_no_more_than_the_highest(planted: pd.DataFrame) -> None:
    wild = planted.copy()
    at = wild["label_arr_multiple"].first_valid_index()
    wild.loc[at, "label_arr_multiple"] = 500.0
    capped = planted.copy()
    capped.loc[at, "label_arr_multiple"] = MultipleConfig().highest
    one, two = multiple.train(wild, AS_OF, QUICK), multiple.train(capped, AS_OF, QUICK)
    assert one.version == two.version
    with pytest.raises(FrameError, match="below zero"):
        multiple.train(planted.assign(label_arr_multiple=-1.0), AS_OF)
    with pytest.raises(FrameError, match="label_arr_multiple"):
        multiple.train(planted.drop(columns="label_arr_multiple"), AS_OF)


def test_a_feature_that_is_the_multiple_is_kept_out(planted: pd.DataFrame) -> None:
    leaking = planted.assign(f_contract__next_price=planted["label_arr_multiple"] * 100.0)
    model = multiple.train(leaking, AS_OF)
    (leak,) = model.manifest["kept_out"]
    assert leak["feature"] == "f_contract__next_price"
    assert leak["rank_correlation"] > 0.99
    assert "f_contract__next_price" not in model.spec.columns


def _bytes(folder: Path) -> dict[str, bytes]:
    files = (p for p in sorted(folder.rglob("*")) if p.is_file())
    return {str(p.relative_to(folder)): p.read_bytes() for p in files}


def test_same_inputs_same_bytes(tmp_path: Path, planted: pd.DataFrame) -> None:
    for name, frame in (("a", planted), ("b", planted.sample(frac=1.0, random_state=4))):
        model = multiple.train(frame, AS_OF, QUICK)
        registry.save(tmp_path / name / "models", model)
        history.append(tmp_path / name / "lake", score(model, frame), history.ARR_MULTIPLES)
    assert _bytes(tmp_path / "a") == _bytes(tmp_path / "b")


@pytest.mark.parametrize("kind", ["ridge", "trees", "segment_mean"])
def test_text_files_are_the_whole_model(
    tmp_path: Path, planted: pd.DataFrame, model: multiple.MultipleModel, kind: str
) -> None:
    if kind == "segment_mean":
        model = dataclasses.replace(model, recipe=kind, member=None)
    else:
        prepared = multiple.prepare(planted, None, 60, multiple.LABEL)
        known = prepared.take(~np.isnan(prepared.y))
        member = multiple._fit(kind, known, model.config)
        model = dataclasses.replace(model, recipe=kind, member=member)
    folder = registry.save(tmp_path, model)
    loaded = registry.load_multiple(tmp_path, model.version)
    pd.testing.assert_frame_equal(score(loaded, planted), score(model, planted), check_exact=True)
    assert registry.save(tmp_path, loaded) == folder
    assert loaded.config == model.config
    (folder / "means.json").write_text("{}")
    with pytest.raises(RegistryError, match="incomplete or damaged"):
        registry.load_multiple(tmp_path, model.version)


def test_the_registry_decides_about_it_as_about_any_other(
    tmp_path: Path, model: multiple.MultipleModel
) -> None:
    registry.save(tmp_path, model)
    assert registry.consider(tmp_path, model, SCORED_AT).reason == "first"
    assert registry.version_at(tmp_path, multiple.HEAD, AS_OF) == model.version


def test_a_second_append_adds_nothing(
    tmp_path: Path, model: multiple.MultipleModel, planted: pd.DataFrame
) -> None:
    rows = score(model, planted)
    assert list(rows.columns) == history.ARR_MULTIPLES.columns
    assert history.append(tmp_path, rows, history.ARR_MULTIPLES) == len(rows) > 50
    before = _bytes(tmp_path)
    again = score(model, planted, "run-2").assign(multiple=9.0)
    assert history.append(tmp_path, again, history.ARR_MULTIPLES) == 0
    assert _bytes(tmp_path) == before
    assert history.append(tmp_path, rows.assign(is_backfill=True), history.ARR_MULTIPLES)
    stored = history.read(tmp_path, table=history.ARR_MULTIPLES)
    assert set(stored["run_id"]) == {"r"}
    # The other table of the same folder is untouched.
    assert history.read(tmp_path).empty
