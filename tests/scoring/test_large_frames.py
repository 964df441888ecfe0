"""What is done otherwise for large frames changes no bit, or keeps accounts whole."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from scoring import ridge, trees
from scoring.arrays import Floats, sigmoid
from scoring.config import GuideParams, TrainConfig, TreeParams
from scoring.frame import prepare
from scoring.jobs import side_by_side
from scoring.ridge import fit_ridge, fit_ridge_beside
from scoring.training import _guide, _some_accounts
from scoring.trees import fit_trees
from tests.scoring.worlds import world

COLUMNS = tuple(f"f_usage__x{j}" for j in range(8))


@pytest.fixture(scope="module")
def rows() -> tuple[Floats, Floats]:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(6000, len(COLUMNS)))
    y = (rng.random(len(x)) < sigmoid(-1.5 + x[:, 0] - 0.5 * x[:, 1])).astype(np.float64)
    x[rng.random(len(x)) < 0.3, 1] = np.nan
    return x, y


def test_trees_are_the_same_bytes_with_any_number_of_threads(
    rows: tuple[Floats, Floats], monkeypatch: pytest.MonkeyPatch
) -> None:
    params = TreeParams(20, 8, 3, 0.03, 5.0, 30)
    one = fit_trees(*rows, COLUMNS, params, threads=1).to_text()
    monkeypatch.setattr(trees, "MANY_ROWS", 1)
    for threads in (2, 3):
        monkeypatch.setattr(trees, "cores", lambda threads=threads: threads)
        assert fit_trees(*rows, COLUMNS, params, threads=1).to_text() == one


def test_a_fit_begun_at_some_rows_ends_where_it_ends(
    rows: tuple[Floats, Floats], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = fit_ridge(*rows, COLUMNS)
    monkeypatch.setattr(ridge, "SOME_ROWS", 1000)
    begun = fit_ridge(*rows, COLUMNS)
    assert begun.coefficient == pytest.approx(whole.coefficient, abs=1e-9)
    assert begun.missing_coefficient == pytest.approx(whole.missing_coefficient, abs=1e-9)
    # An indicator of what is never missing has nothing to say.
    assert [c == 0.0 for c in whole.missing_coefficient] == [j != 1 for j in range(len(COLUMNS))]


def test_results_come_in_the_order_of_the_calls_and_errors_come_through() -> None:
    assert side_by_side([lambda k=k: k * k for k in range(20)]) == [k * k for k in range(20)]
    assert side_by_side([]) == []

    def fails() -> int:
        raise ZeroDivisionError("a fit")

    with pytest.raises(ZeroDivisionError, match="a fit"):
        side_by_side([lambda: 1, fails])


def test_a_fold_of_a_large_frame_learns_from_whole_accounts() -> None:
    prepared = prepare(world(accounts=120))
    config = dataclasses.replace(TrainConfig(), fold_rows=len(prepared) // 4)
    positions = np.flatnonzero(~np.isnan(prepared.y))
    some = _some_accounts(prepared, positions, config)
    accounts = prepared.rows["account_id"].to_numpy()
    assert 0.5 < len(some) / config.fold_rows < 1.5
    left = np.setdiff1d(positions, some)
    assert not set(accounts[some]) & set(accounts[left])
    assert (_some_accounts(prepared, positions, TrainConfig()) == positions).all()


def test_of_very_many_judgements_those_of_some_accounts_guide() -> None:
    prepared = prepare(world(accounts=120))
    opinions = np.linspace(-2.0, 2.0, len(prepared))
    judged = dataclasses.replace(prepared, opinions=opinions)
    few = GuideParams(some_judged=len(prepared) // 4)
    found = _guide(judged, TrainConfig(guide=few))
    assert found is not None
    said = ~np.isnan(found[0])
    assert 0.5 < said.sum() / few.some_judged < 1.5
    np.testing.assert_array_equal(found[0][said], opinions[said])
    accounts = prepared.rows["account_id"]
    assert not set(accounts[said]) & set(accounts[~said])
    every = _guide(judged, TrainConfig())
    assert every is not None
    np.testing.assert_array_equal(every[0], opinions)


def test_what_is_done_some_rows_at_a_time_is_done_to_all(
    rows: tuple[Floats, Floats], monkeypatch: pytest.MonkeyPatch
) -> None:
    known = rows[0][:, 0] * 2.0
    model, slope = fit_ridge_beside(*rows, COLUMNS, 0.001, known)
    logits = model.raw_logit(rows[0])
    monkeypatch.setattr(ridge, "SOME_ROWS", len(known) - 1)
    again, same = fit_ridge_beside(*rows, COLUMNS, 0.001, known)
    assert (again, same) == (model, slope)
    np.testing.assert_array_equal(again.raw_logit(rows[0]), logits)
