"""Scores of small companies, which have lost too few to teach much: what serves, and how well.

Belongs here: the cold-start rule held against what a company has lost, figures over all companies
at once. Must not be here: what only a large company can show, see `demo_scores`. The name keeps
this out of `make test`; `make truth` names the file, and prints the figures with `-s`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest

import scoring
from scoring.config import ColdStart
from scoring.evaluation import auc
from tests.truth.conftest import Case
from tests.truth.walking import cutoffs, features_of, walk_forward, with_oracle

HEAD = "next_renewal"


@pytest.fixture(scope="module")
def judged(cases: Sequence[Case]) -> pd.DataFrame:
    """Renewals of each company's last year, by the model of the year before."""
    parts = []
    for case in cases:
        *_, before, last = cutoffs(case.as_of)
        bands = case.rows("select * from seeds.risk_bands")
        scores = walk_forward(features_of(case), bands, [(before, last)], HEAD)
        parts.append(with_oracle(case, scores).assign(seed=case.seed))
    return pd.concat(parts, ignore_index=True)


def test_what_serves_is_what_the_losses_allow(cases: Sequence[Case]) -> None:
    rules = ColdStart()
    for case in cases:
        model = scoring.train(features_of(case), HEAD, cutoffs(case.as_of)[-1])
        losses = int(str(model.manifest["losses"]))
        if losses < rules.min_losses:
            assert model.recipe == "segment_rate", (case.seed, losses)
        elif losses <= rules.choose_losses:
            assert model.recipe in {"guided", "blend", "segment_rate"}, (case.seed, losses)


def test_small_companies_are_told_no_more_than_can_be_known(judged: pd.DataFrame) -> None:
    lost, p, best = (judged[c].to_numpy(dtype=float) for c in ("is_lost", "p", "p_lost"))
    by_seed = {
        seed: (len(one), int(one["is_lost"].sum()), sorted(set(one["serves"])))
        for seed, one in judged.groupby("seed")
    }
    reached, known = auc(lost, p), auc(lost, best)
    print(f"\nseed: renewals, losses, serves {by_seed}; AUC {reached:.3f}, oracle {known:.3f}")
    # Chance alone moves the difference of two areas on so few losses by this much.
    assert reached <= known + 2.0 * np.sqrt(0.25 / lost.sum()), (reached, known)
    # In the large: losses forecast and losses that came, within what chance explains.
    spread = float(np.sqrt(np.sum(best * (1.0 - best))))
    assert abs(float(p.sum() - lost.sum())) <= 3.0 * spread, (p.sum(), lost.sum(), spread)
