from __future__ import annotations

import dataclasses
import datetime as dt

import numpy as np
import pandas as pd
import pytest

import scoring
from scoring import cold_start, drift, evaluation
from scoring.arrays import sigmoid
from scoring.calibration import fit_platt
from scoring.config import ColdStart, TrainConfig, TreeParams
from scoring.errors import LeakageError
from scoring.frame import prepare
from scoring.heads import NEXT_RENEWAL, SIGN_TODAY
from scoring.members import mean_explanation
from scoring.ridge import RidgeModel, fit_ridge
from scoring.training import choose, walk
from scoring.trees import TreeModel, fit_trees
from tests.scoring.worlds import AS_OF, BANDS, SCORED_AT, with_losses, world

QUICK = TrainConfig(replicates=2)


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return world(accounts=400)


@pytest.fixture(scope="module")
def many() -> pd.DataFrame:
    # Few losses would let chance alone leave the band around one half.
    return world(accounts=1500, base=-1.0)


@pytest.fixture(scope="module")
def model(frame: pd.DataFrame) -> scoring.Model:
    return scoring.train(frame, "next_renewal", AS_OF, QUICK)


def test_the_planted_signal_is_found_and_calibrated(model: scoring.Model) -> None:
    calibrated = model.metrics["calibrated"]
    assert calibrated["auc"] > 0.65
    assert calibrated["brier_skill"] > 0.03
    assert calibrated["ece"] < 0.06
    assert model.recipe in ("ridge", "trees", "blend")
    assert model.manifest["losses"] > 150


def test_the_candidate_of_lowest_log_loss_serves(model: scoring.Model) -> None:
    losses = {name: m["log_loss"] for name, m in model.metrics["candidates"].items()}
    assert set(losses) == {"ridge", "trees", "blend"}
    assert losses[model.recipe] == min(losses.values())


@pytest.mark.parametrize("seed", [11, 12])
def test_shuffled_labels_predict_nothing(many: pd.DataFrame, seed: int) -> None:
    # Outcomes change hands between whole accounts: each keeps its own number of rows and dates.
    rng = np.random.default_rng(seed)
    shuffled = many.copy()
    known = shuffled["label_is_lost"].notna()
    renewal = shuffled["account_id"] + "|" + shuffled["label_due_on"].astype("str")
    names = renewal[known].unique()
    outcome = shuffled[known].assign(r=renewal[known]).groupby("r")["label_is_lost"].first()
    drawn = dict(zip(names, rng.permutation(outcome.loc[names].to_numpy()), strict=True))
    shuffled.loc[known, "label_is_lost"] = renewal[known].map(drawn).astype("Int64")
    prepared = prepare(shuffled)
    walked = walk(prepared, AS_OF, ("ridge", "trees", "blend"), QUICK)
    y = prepared.y[walked.positions]
    for raw in walked.raw.values():
        assert 0.45 <= evaluation.auc(y, raw) <= 0.55


@pytest.mark.parametrize(
    ("losses", "recipes"),
    [
        (0, ("segment_rate",)),
        (5, ("segment_rate",)),
        (9, ("segment_rate",)),
        (10, ("blend",)),
        (30, ("blend",)),
        (150, ("blend",)),
        (151, ("blend", "ridge", "trees")),
        (300, ("blend", "ridge", "trees")),
    ],
)
def test_recipes_by_losses(losses: int, recipes: tuple[str, ...]) -> None:
    assert cold_start.recipes(losses, ColdStart()) == recipes


@pytest.mark.parametrize(
    ("losses", "serves"), [(0, "segment_rate"), (5, "segment_rate"), (30, "model")]
)
def test_cold_start_end_to_end(losses: int, serves: str) -> None:
    few = with_losses(losses)
    model = scoring.train(few, "next_renewal", AS_OF, QUICK)
    assert model.manifest["losses"] == losses
    assert model.serves == serves
    rows = scoring.score(model, few, AS_OF, bands=BANDS, scored_at=SCORED_AT, run_id="r")
    assert rows["p"].between(0.0, 1.0, inclusive="neither").all()
    assert (rows["p_low"] <= rows["p"]).all()
    assert (rows["p"] <= rows["p_high"]).all()
    if serves == "segment_rate":
        assert (model.recipe, model.members) == ("segment_rate", ())
        assert model.manifest["calibration"] == "none: segment rates"
        assert set(rows["serves"]) == {"segment_rate"}
        assert set(rows["reasons"]) == {"[]"}
        assert rows["p"].nunique() <= 3
        renewals = model.manifest["renewals"]
        rate = (losses + 1.2) / (renewals + 10)
        assert rows["p"].mean() == pytest.approx(rate, rel=0.3)
    else:
        assert model.recipe == "blend"
        assert {m.kind for m in model.members} == {"ridge", "trees"}


def test_three_hundred_losses_let_three_candidates_compete() -> None:
    rich = with_losses(300, accounts=700)
    model = scoring.train(rich, "next_renewal", AS_OF, QUICK)
    assert model.manifest["losses"] == 300
    candidates = model.metrics["candidates"]
    assert set(candidates) == {"blend", "ridge", "trees"}
    assert model.recipe == min(candidates, key=lambda r: candidates[r]["log_loss"])
    rows = scoring.score(model, rich, AS_OF, bands=BANDS, scored_at=SCORED_AT, run_id="r")
    today = rich[(rich["observed_on"] == pd.Timestamp(AS_OF)) & rich["is_open"]]
    assert set(rows["account_id"]) == set(today["account_id"])
    assert set(rows["serves"]) == {"model"}
    assert (rows["p_low"] <= rows["p"]).all()
    assert (rows["p"] <= rows["p_high"]).all()
    assert rows["p"].nunique() > len(rows) / 2
    assert (rows["reasons"] != "[]").mean() > 0.9


def test_no_skill_out_of_time_serves_segment_rates(frame: pd.DataFrame) -> None:
    noise = frame.copy()
    rng = np.random.default_rng(1)
    features = [c for c in noise.columns if c.startswith("f_")]
    # The signs of the signal turn at every origin: what was learnt misleads afterwards.
    noise[features] = rng.normal(size=(len(noise), len(features)))
    lost = noise["label_is_lost"].astype("float64").fillna(0.0)
    turn = np.where(noise["observed_on"] < pd.Timestamp("2023-01-01"), 1.0, -1.0)
    noise["f_usage__decline_28d"] += 1.5 * lost * turn
    config = dataclasses.replace(QUICK, origins=1, step_months=24)
    model = scoring.train(noise, "next_renewal", dt.date(2025, 1, 1), config)
    assert model.serves == "segment_rate"
    assert model.manifest["calibration"] == "no skill out of time"


def test_contributions_sum_to_the_logit(frame: pd.DataFrame) -> None:
    prepared = prepare(frame)
    known = ~np.isnan(prepared.y)
    x, y, columns = prepared.x, prepared.y, prepared.spec.columns
    params = TreeParams(100, 8, 3, 0.03, 5.0, 30)
    for member in (
        fit_ridge(x[known], y[known], columns),
        fit_trees(x[known], y[known], columns, params),
    ):
        contributions, base = member.explain(x)
        np.testing.assert_allclose(
            contributions.sum(axis=1) + base, member.raw_logit(x), atol=1e-9, rtol=0
        )


def test_text_forms_are_the_whole_model(frame: pd.DataFrame) -> None:
    prepared = prepare(frame)
    known = ~np.isnan(prepared.y)
    x, y, columns = prepared.x, prepared.y, prepared.spec.columns
    ridge = fit_ridge(x[known], y[known], columns)
    assert RidgeModel.from_text(ridge.to_text()) == ridge
    trees = fit_trees(x[known], y[known], columns, TreeParams(20, 8, 3, 0.03, 5.0, 30))
    again = TreeModel.from_text(trees.to_text())
    assert (again.raw_logit(x) == trees.raw_logit(x)).all()


def test_standardisation_comes_from_training_rows_only(frame: pd.DataFrame) -> None:
    shifted = frame.copy()
    future = shifted["observed_on"] > pd.Timestamp("2024-06-30")
    shifted.loc[future, "f_usage__breadth"] += 1000.0
    cutoff = dt.date(2024, 6, 30)
    one = scoring.train(frame, "next_renewal", cutoff, QUICK)
    two = scoring.train(shifted, "next_renewal", cutoff, QUICK)
    assert one.version == two.version
    assert [m.to_text() for m in one.members] == [m.to_text() for m in two.members]


def test_later_outcomes_do_not_reach_an_earlier_cutoff(frame: pd.DataFrame) -> None:
    cutoff = dt.date(2024, 6, 30)
    matured = frame["label_due_on"] + pd.Timedelta(days=60) <= pd.Timestamp(cutoff)
    flipped = frame.copy()
    flipped.loc[~matured, "label_is_lost"] = 1 - flipped.loc[~matured, "label_is_lost"]
    one = scoring.train(frame, "next_renewal", cutoff, QUICK)
    two = scoring.train(flipped, "next_renewal", cutoff, QUICK)
    assert (one.version, one.metrics, one.calibrator) == (two.version, two.metrics, two.calibrator)


def test_version_depends_on_data_and_parameters_only(frame: pd.DataFrame) -> None:
    config = TrainConfig(replicates=0, origins=1)
    one = scoring.train(frame, "next_renewal", AS_OF, config)
    shuffled = frame.sample(frac=1.0, random_state=9)
    assert scoring.train(shuffled, "next_renewal", AS_OF, config).version == one.version
    other = dataclasses.replace(config, ridge_c=0.06)
    assert scoring.train(frame, "next_renewal", AS_OF, other).version != one.version
    assert scoring.train(frame, "sign_today", AS_OF, config).version != one.version


def test_missing_values_are_explained_by_their_own_feature() -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(4000, 2))
    missing = rng.random(4000) < 0.3
    y = (rng.random(4000) < sigmoid(-1 + 2.0 * missing)).astype(float)
    x[missing, 0] = np.nan
    contributions, _ = fit_ridge(x, y, ("f_a__x", "f_b__y")).explain(x)
    assert contributions[missing, 0].mean() > 1.0
    assert contributions[~missing, 0].mean() < -0.3
    assert np.abs(contributions[:, 1]).max() < 0.5


def test_a_feature_without_any_value_contributes_nothing() -> None:
    rng = np.random.default_rng(3)
    x = np.column_stack([rng.normal(size=500), np.full(500, np.nan)])
    y = (rng.random(500) < sigmoid(x[:, 0])).astype(float)
    contributions, _ = fit_ridge(x, y, ("f_a__x", "f_b__y")).explain(x)
    assert (contributions[:, 1] == 0.0).all()


def test_interval_narrows_with_history(frame: pd.DataFrame) -> None:
    config = TrainConfig(replicates=4)

    def width(accounts: pd.DataFrame) -> float:
        model = scoring.train(accounts, "next_renewal", AS_OF, config)
        rows = scoring.score(model, accounts, AS_OF, bands=BANDS, scored_at=SCORED_AT, run_id="r")
        return float((rows["p_high"] - rows["p_low"]).mean())

    few = frame[frame["account_id"] < "001000100"]
    assert width(few) > 1.3 * width(frame)


def test_random_groups_replace_the_jackknife_on_large_frames(frame: pd.DataFrame) -> None:
    small = scoring.train(frame, "next_renewal", AS_OF, TrainConfig(replicates=4))
    large = scoring.train(frame, "next_renewal", AS_OF, TrainConfig(replicates=4, replicate_rows=1))
    assert small.replicate_scale == pytest.approx(3 / 4)
    assert large.replicate_scale == pytest.approx(1 / 12)
    # Two estimates of one variance; both are rough, but of one order.
    widths = []
    for model in (small, large):
        rows = scoring.score(model, frame, AS_OF, bands=BANDS, scored_at=SCORED_AT, run_id="r")
        widths.append(float((rows["p_high"] - rows["p_low"]).mean()))
    assert 0.5 < widths[0] / widths[1] < 2.0


def test_sign_today_is_calibrated_by_the_last_two_months(frame: pd.DataFrame) -> None:
    model = scoring.train(frame, "sign_today", AS_OF, QUICK)
    prepared = prepare(frame)
    taught = prepared.take(SIGN_TODAY.teaches(prepared) & prepared.matured_by(AS_OF))
    assert model.manifest["rows"] == len(taught)
    assert model.serves == "model"
    walked = walk(prepared, AS_OF, ("blend",), QUICK, SIGN_TODAY.teaches(prepared))
    judged = SIGN_TODAY.judges(prepared)[walked.positions]
    assert 0 < model.metrics["out_of_time_rows"] == judged.sum() < len(judged) / 3
    rows = scoring.score(model, frame, AS_OF, bands=BANDS, scored_at=SCORED_AT, run_id="r")
    assert set(rows["head"]) == {"sign_today"}


def test_sign_today_does_not_learn_how_leavers_look(frame: pd.DataFrame) -> None:
    """Who leaves gives notice 45 days before, and is silent from then on."""
    notice = pd.to_datetime(frame["label_due_on"]) - pd.Timedelta(days=45)
    notice = notice.where(frame["label_is_lost"] == 1.0)
    silent = (notice <= pd.to_datetime(frame["observed_on"])).astype(float)
    leaving = frame.assign(f_usage__is_silent_28d=silent)
    told = leaving.assign(label_notice_on=notice.dt.date)
    misled = scoring.train(leaving, "sign_today", AS_OF, QUICK)
    model = scoring.train(told, "sign_today", AS_OF, QUICK)

    used = []
    for trained in (misled, model):
        contributions, _ = mean_explanation(trained.members, prepare(told).x)
        told_apart = contributions[:, trained.spec.columns.index("f_usage__is_silent_28d")]
        used.append(float(np.ptp(told_apart)))
    assert used[0] > 0.5
    assert used[1] == 0.0
    prepared = prepare(told)
    decided = SIGN_TODAY.teaches(prepare(leaving)) & ~SIGN_TODAY.teaches(prepared)
    assert decided.sum() == silent.sum() > 0
    # A loss is judged by the two months before its notice, others by those before they are due.
    lead = prepared.rows["label_notice_on"] - prepared.rows["observed_on"]
    judged = lead[SIGN_TODAY.judges(prepared)].dropna().dt.days
    assert (judged.min(), judged.max()) == (pytest.approx(15, abs=15), pytest.approx(60, abs=2))


def test_a_notice_is_an_answer_long_before_the_term_runs_out(frame: pd.DataFrame) -> None:
    """Or else the leavers would be missing from every recent month, and who stays would not."""
    is_open = frame["label_is_lost"].isna()
    leaving = frame.index[is_open & (frame["account_id"] == frame["account_id"][is_open].iloc[0])]
    kept = frame.index[frame["label_is_lost"] == 0.0][:1]
    notice = pd.Series(pd.NaT, index=frame.index, dtype="datetime64[ns]")
    notice[leaving], notice[kept] = pd.Timestamp("2025-05-20"), pd.Timestamp("2020-01-01")
    prepared = prepare(frame.assign(label_notice_on=notice))
    answered = SIGN_TODAY.answered(prepared, grace_days=60)

    changed = np.flatnonzero((answered.y != prepared.y) & ~np.isnan(answered.y))
    assert len(changed) == len(leaving) > 0
    assert (answered.y[changed] == 1.0).all()
    assert (answered.matured_on.iloc[changed] == pd.Timestamp("2025-07-19")).all()
    # What came back after its notice is known as soon as its renewal, and not before.
    others = np.setdiff1d(np.arange(len(prepared)), changed)
    assert (
        answered.matured_on.iloc[others].dropna() == prepared.matured_on.iloc[others].dropna()
    ).all()
    assert NEXT_RENEWAL.answered(prepared, grace_days=60) is prepared


def test_the_second_opinion_has_not_read_the_first(frame: pd.DataFrame) -> None:
    asked = frame.assign(f_voice__human_sign_today=0.5)
    columns = scoring.train(asked, "sign_today", AS_OF, QUICK).spec.columns
    assert "f_voice__human_sign_today" not in columns
    assert set(columns) == {c for c in frame.columns if c.startswith("f_")}


def test_a_planted_leak_is_reported_and_kept_out(frame: pd.DataFrame, model: scoring.Model) -> None:
    lost = frame["label_is_lost"].astype("float64")
    planted = frame.assign(
        f_usage__innocent_name=lost.fillna(0.0) + np.linspace(0, 0.1, len(frame)),
        f_support__form_field=np.where(lost == 1.0, 1.0, np.nan),
    )
    found = scoring.train(planted, "next_renewal", AS_OF, QUICK)
    assert [k["feature"] for k in found.manifest["kept_out"]] == [
        "f_support__form_field",
        "f_usage__innocent_name",
    ]
    assert all(0.95 < k["auc"] <= 1.0 for k in found.manifest["kept_out"])
    # What is trained is the model without them, to the last byte.
    assert [m.to_text() for m in found.members] == [m.to_text() for m in model.members]
    assert found.manifest["features"] == model.manifest["features"]
    assert found.metrics == model.metrics
    rows = scoring.score(found, planted, AS_OF, bands=BANDS, scored_at=SCORED_AT, run_id="r")
    assert not rows["reasons"].str.contains("innocent|form_field").any()
    # Nor does a challenger win by it.
    same = scoring.compare(planted, "next_renewal", AS_OF, QUICK, QUICK, found.spec, None)
    assert (same.difference.low, same.difference.high) == (0.0, 0.0)


def test_a_frame_of_leaks_alone_cannot_be_learnt_from(frame: pd.DataFrame) -> None:
    lost = frame["label_is_lost"].astype("float64").fillna(0.0)
    features = [c for c in frame.columns if c.startswith("f_")]
    only = frame.drop(columns=features).assign(f_usage__innocent_name=lost)
    with pytest.raises(LeakageError, match=r"every feature .* f_usage__innocent_name"):
        scoring.train(only, "next_renewal", AS_OF, QUICK)


def test_unknown_head_is_named() -> None:
    with pytest.raises(scoring.ScoringError, match="no head 'tomorrow'"):
        scoring.train(world(accounts=5), "tomorrow", AS_OF)


def test_choice_prefers_the_first_where_nothing_was_walked(frame: pd.DataFrame) -> None:
    empty = walk(prepare(frame.head(10)), AS_OF, ("blend", "ridge"), QUICK)
    assert choose(prepare(frame.head(10)), empty, ("blend", "ridge")) == "blend"


def test_challenger_without_signal_loses_with_its_interval(frame: pd.DataFrame) -> None:
    champion, challenger = TrainConfig(), TrainConfig(ridge_c=0.04)
    spec = scoring.FeatureSpec(
        {"f_support__cases_90d": "support", "f_billing__failed_12m": "billing"}
    )
    worse = scoring.compare(
        frame, "next_renewal", AS_OF, champion, challenger, challenger_spec=spec
    )
    assert worse.difference.low > 0.0
    assert not worse.is_better
    better = scoring.compare(frame, "next_renewal", AS_OF, champion, challenger, champion_spec=spec)
    assert better.is_better
    assert better.rows == worse.rows


def test_drift_is_reported_where_it_was_planted(frame: pd.DataFrame, model: scoring.Model) -> None:
    today = frame[frame["observed_on"] == pd.Timestamp(AS_OF)]
    calm = drift.report(model.reference, prepare(today, model.spec)).set_index("feature")
    moved = today.assign(
        f_usage__breadth=today["f_usage__breadth"] + 2.0,
        f_value__reports_12m=np.nan,
        f_support__cases_90d=1e6,
    )
    report = drift.report(model.reference, prepare(moved, model.spec)).set_index("feature")
    assert not calm.loc["f_usage__breadth", "is_drifted"]
    assert report.loc["f_usage__breadth", "is_drifted"]
    assert report.loc["f_value__reports_12m", "is_missing_jump"]
    assert not calm["is_missing_jump"].any()
    assert report.loc["f_support__cases_90d", "outside_share"] == 1.0
    text = model.reference.to_text()
    assert drift.Reference.from_text(text) == model.reference


def test_few_outcomes_bend_the_calibration_little() -> None:
    """Twelve rows of an account that end alike are one outcome, not twelve."""
    rng = np.random.default_rng(3)
    raw = rng.normal(-1.5, 1.0, 40)
    lost = (rng.random(40) < 1 / (1 + np.exp(-2.0 * raw))).astype(np.float64)
    accounts = pd.Series(np.repeat(np.arange(40), 12))
    few = fit_platt(np.repeat(raw, 12), np.repeat(lost, 12), accounts, slope_spread=0.25)
    alone = fit_platt(raw, lost, pd.Series(np.arange(40)), slope_spread=0.25, smooth=False)
    free = fit_platt(raw, lost, smooth=False)
    assert abs(few.slope - 1.0) < 0.4 * abs(free.slope - 1.0)
    assert few.slope == pytest.approx(alone.slope, abs=0.05)
    raw = rng.normal(-1.5, 1.0, 40_000)
    lost = (rng.random(40_000) < 1 / (1 + np.exp(-2.0 * raw))).astype(np.float64)
    many = fit_platt(raw, lost, pd.Series(np.arange(40_000)), slope_spread=0.25)
    assert many.slope == pytest.approx(2.0, abs=0.06)


def test_a_handful_of_losses_moves_no_level() -> None:
    """Five losses more than expected say little of a level; five hundred say it."""
    accounts = pd.Series(np.repeat(np.arange(30), 6))
    raw = np.full(len(accounts), -2.2)
    lost = np.repeat((np.arange(30) < 8).astype(np.float64), 6)
    free = fit_platt(raw, lost, accounts, fixed_slope=1.0)
    held = fit_platt(raw, lost, accounts, fixed_slope=1.0, intercept_spread=0.25)
    assert (free.slope, held.slope) == (1.0, 1.0)
    assert free.intercept > 1.0
    assert 0.0 < held.intercept < 0.3 * free.intercept
    many = pd.Series(np.arange(30_000))
    raw = np.full(len(many), -2.2)
    lost = (np.arange(len(many)) % 30 < 8).astype(np.float64)
    told = fit_platt(raw, lost, many, fixed_slope=1.0, intercept_spread=0.25)
    assert told.intercept == pytest.approx(free.intercept, abs=0.03)
