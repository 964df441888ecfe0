"""People's judgements of many accounts guide a head, and outcomes have the last word."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

import scoring
from scoring.arrays import Floats, sigmoid
from scoring.cold_start import GUIDED
from scoring.config import GuideParams, TrainConfig
from scoring.errors import RegistryError
from scoring.frame import prepare
from scoring.guided import GuidedModel, fit_guided
from scoring.heads import PEOPLE, SIGN_TODAY
from scoring.members import mean_explanation
from scoring.registry import config_of
from scoring.ridge import fit_ridge
from scoring.trees import fit_trees
from tests.scoring.worlds import AS_OF, BANDS, SCORED_AT, with_losses

QUICK = TrainConfig(replicates=2)
COLUMNS = tuple(f"f_usage__x{k}" for k in range(12))


def asked(frame: pd.DataFrame, sign: float = 1.0, seed: int = 11) -> pd.DataFrame:
    """The frame with a judgement of two accounts in three each month, of what can be seen.

    Truth is `f_usage__decline_28d`; ``sign`` turns what people make of it, and each judgement errs
    by a deviation of 0.75 and 0.5 of optimism.
    """
    rng = np.random.default_rng(seed)
    logit = sign * frame["f_usage__decline_28d"] - 2.0 - 0.5 + rng.normal(0, 0.75, len(frame))
    share = (1.0 - sigmoid(logit.to_numpy())).round(2)
    age = np.where(rng.random(len(frame)) < 2 / 3, rng.integers(0, 28, len(frame)), 60)
    return frame.assign(f_voice__human_sign_today=share, f_voice__days_since_assessed=age)


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return asked(with_losses(60))


@pytest.fixture(scope="module")
def model(frame: pd.DataFrame) -> scoring.Model:
    return scoring.train(frame, "sign_today", AS_OF, QUICK)


def test_people_are_listened_to_where_outcomes_do_not_contradict(model: scoring.Model) -> None:
    assert model.recipe == GUIDED
    candidates = model.metrics["candidates"]
    assert isinstance(candidates, dict)
    assert sorted(candidates) == ["blend", GUIDED]


def test_reasons_add_up_and_the_text_is_the_whole_model(
    frame: pd.DataFrame, model: scoring.Model
) -> None:
    x = prepare(frame).without(SIGN_TODAY.excludes).x[-500:]
    (guided,) = model.members
    contributions, base = guided.explain(x)
    assert np.allclose(contributions.sum(axis=1) + base, guided.raw_logit(x), atol=1e-9)
    again = GuidedModel.from_text(guided.to_text())
    assert np.array_equal(again.raw_logit(x), guided.raw_logit(x))
    assert again.to_text() == guided.to_text()
    with pytest.raises(RegistryError, match="no guided model"):
        GuidedModel.from_text('{"kind": "ridge"}')


def test_the_judgement_of_an_account_is_not_read_when_it_is_scored(
    frame: pd.DataFrame, model: scoring.Model
) -> None:
    def scored(rows: pd.DataFrame) -> pd.Series:
        scores = scoring.score(model, rows, AS_OF, bands=BANDS, scored_at=SCORED_AT, run_id="r")
        return scores.set_index("account_id")["p"]

    said_otherwise = frame.assign(f_voice__human_sign_today=0.5)
    pd.testing.assert_series_equal(scored(frame), scored(said_otherwise))


def test_the_guide_does_not_repeat_what_was_said_of_the_account(frame: pd.DataFrame) -> None:
    """The renewal's own forecast may read the judgement; what outcomes add weighs it, alone."""
    model = scoring.train(frame, "next_renewal", AS_OF, QUICK)
    (guided,) = model.members
    assert isinstance(guided, GuidedModel)
    x = prepare(frame).x[-500:]
    said = [model.spec.columns.index(c) for c in (PEOPLE.column, PEOPLE.age)]
    by_guide, _ = mean_explanation(guided.guide, x)
    by_outcomes, _ = mean_explanation(guided.rest, x)
    assert not by_guide[:, said].any()
    assert by_outcomes[:, said].any()


def test_judgements_of_later_days_do_not_reach_an_earlier_cutoff(frame: pd.DataFrame) -> None:
    before = frame["observed_on"].max() - pd.DateOffset(years=1)
    later = frame["observed_on"] > before
    turned = frame["f_voice__human_sign_today"].where(~later, 0.05)
    changed = frame.assign(f_voice__human_sign_today=turned)
    models = [scoring.train(f, "sign_today", before.date(), QUICK) for f in (frame, changed)]
    assert models[0].version == models[1].version


def test_people_who_are_wrong_are_not_followed() -> None:
    """Who takes every sign of danger for a good one is contradicted by enough outcomes."""
    wrong = asked(with_losses(150, accounts=700), sign=-1.0)
    model = scoring.train(wrong, "sign_today", AS_OF, dataclasses.replace(QUICK, replicates=0))
    x = prepare(wrong).without(SIGN_TODAY.excludes).x
    logits = np.mean([m.raw_logit(x) for m in model.members], axis=0)
    order = wrong.sort_values(["observed_on", "account_id"], kind="stable")
    assert spearmanr(logits, order["f_usage__decline_28d"]).statistic > 0.5


def test_few_judgements_guide_nobody(frame: pd.DataFrame) -> None:
    few = frame.assign(f_voice__days_since_assessed=60)
    assert scoring.train(few, "sign_today", AS_OF, QUICK).recipe == "blend"
    deaf = dataclasses.replace(QUICK, guide=None)
    assert scoring.train(frame, "sign_today", AS_OF, deaf).recipe == "blend"


def test_with_few_losses_a_guided_model_knows_more() -> None:
    """Some forty losses, a dozen features: judgements bring the truth nearer than the blend."""
    config = TrainConfig()
    reached = []
    for seed in range(5):
        x, y, judged, _ = draw(seed)
        fresh, _, _, truth = draw(seed + 100)
        guided = fit_guided(x, y, judged, GuideParams(), COLUMNS).raw_logit(fresh)
        ridge = fit_ridge(x, y, COLUMNS, config.ridge_c).raw_logit(fresh)
        trees = fit_trees(x, y, COLUMNS, config.tiny_trees).raw_logit(fresh)
        reached.append([spearmanr(z, truth).statistic for z in (guided, (ridge + trees) / 2)])
    guided_mean, blend_mean = np.mean(reached, axis=0)
    assert guided_mean > max(0.9, blend_mean + 0.05), reached


def test_outcomes_bend_what_people_overlook() -> None:
    """A feature that nobody weighs, and which doubles the odds, is found by many outcomes."""
    x, y, judged, _ = draw(7, n=20_000, unseen=1.0)
    guided = fit_guided(x, y, judged, GuideParams(), COLUMNS)
    contributions, _ = guided.explain(x)
    assert spearmanr(contributions[:, -1], x[:, -1]).statistic > 0.9
    slope = np.polyfit(x[:, -1], contributions[:, -1], 1)[0]
    assert 0.15 < slope < 1.2


def test_manifests_from_before_read_as_deaf() -> None:
    record = QUICK.as_record()
    assert config_of(record) == QUICK
    assert config_of({k: v for k, v in record.items() if k != "guide"}).guide is None


def draw(seed: int, n: int = 1500, unseen: float = 0.0) -> tuple[Floats, Floats, Floats, Floats]:
    """Features, outcomes (some forty of 1,500), judgements that err, and the true log odds."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, len(COLUMNS)))
    seen = x[:, :4] @ np.array([0.7, -0.6, 0.4, 0.3])
    truth = seen + unseen * x[:, -1] - 3.9
    y = (rng.random(n) < sigmoid(truth)).astype(np.float64)
    return x, y, seen - 2.0 + rng.normal(0.0, 0.75, n), truth
