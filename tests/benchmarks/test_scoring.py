"""The company that scoring is measured on lives like one, and knows no future."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import scoring as benchmark
from scoring.frame import Prepared, prepare
from scoring.heads import PEOPLE

PLACES = 400


@pytest.fixture(scope="module")
def lives() -> benchmark.Lives:
    return benchmark.live(PLACES, seed=3)


@pytest.fixture(scope="module")
def prepared(lives: benchmark.Lives) -> Prepared:
    frame = prepare(benchmark.features(lives, seed=3))
    return frame.without((PEOPLE.column, PEOPLE.age))


def test_a_place_is_one_accounts_until_it_leaves(lives: benchmark.Lives) -> None:
    changes = np.diff(lives.account, axis=0) != 0
    # An account leaves in the month in which its lost renewal was due, and never else.
    left = lives.lost[:-1] & (lives.due[:-1] == np.arange(1, benchmark.MONTHS)[:, None])
    np.testing.assert_array_equal(changes, left)
    assert (lives.age[1:][changes] == 0).all()
    assert (lives.due > np.arange(benchmark.MONTHS)[:, None]).all()


def test_renewals_are_lost_as_often_as_in_life_and_features_are_missing_as_often(
    lives: benchmark.Lives, prepared: Prepared
) -> None:
    assert len(prepared) == PLACES * benchmark.MONTHS
    assert prepared.x.shape[1] == benchmark.FEATURES
    decided = ~np.isnan(prepared.y)
    assert 0.1 < prepared.y[decided].mean() < 0.2
    assert prepared.y[decided].sum() == pytest.approx(lives.p[~np.isnan(lives.p)].sum(), rel=0.15)
    missing = np.isnan(prepared.x).mean(axis=0)
    assert (missing == 0.0).sum() == benchmark.FEATURES / 2
    assert missing.max() == pytest.approx(max(benchmark.MISSING), abs=0.02)


def test_an_outcome_is_known_when_it_is_and_not_before(prepared: Prepared) -> None:
    decided = prepared.y == prepared.y
    known = prepared.rows["label_known_on"][decided]
    assert (known <= benchmark.LAST_DAY).all()
    assert (known > prepared.rows["observed_on"][decided] - np.timedelta64(31, "D")).all()
    assert prepared.rows["label_known_on"][~decided].isna().all()
