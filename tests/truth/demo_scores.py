"""Scores of the large company against the oracle, which knows the chance of each loss.

Belongs here: models trained as the night trains them, judged on later time. Must not be here: how
models are fitted, see `tests/scoring`. The name keeps this out of `make test`: only the large
company has losses enough, and `make truth` names the file.

Three models, each trained on what was known three, two and one year before the last day, score the
month-ends of the year that follows. A renewal is looked at 90 days before it is due, where the
product looks; the oracle's chance is that of the day on which it was decided. What an account would
do today is looked at on every month-end, beside the chance that the company's own state gives it.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import pearsonr, spearmanr

from scoring import baselines
from scoring.evaluation import auc, clustered_skill, ece
from scoring.frame import prepare
from scoring.heads import NEXT_RENEWAL
from scoring.survival import fit_sbg_renewals
from tests.truth import oracle
from tests.truth.conftest import Case
from tests.truth.walking import at_lead, cutoffs, features_of, spans_of, walk_forward, with_oracle

CAPACITIES = (0.10, 0.15, 0.20, 0.25, 0.30)
"""Shares of the renewals that somebody has the time to look after."""


@pytest.fixture(scope="module")
def features(case: Case) -> pd.DataFrame:
    """The features as they leave the warehouse."""
    return features_of(case)


@pytest.fixture(scope="module")
def bands(case: Case) -> pd.DataFrame:
    """The cut-offs of the risk bands."""
    return case.rows("select * from seeds.risk_bands")


@pytest.fixture(scope="module")
def judged(case: Case, features: pd.DataFrame, bands: pd.DataFrame) -> pd.DataFrame:
    """Renewals of three years, scored before and decided since."""
    spans = spans_of(case.as_of)
    return with_oracle(case, walk_forward(features, bands, spans, "next_renewal"))


@pytest.fixture(scope="module")
def today(case: Case, features: pd.DataFrame, bands: pd.DataFrame) -> pd.DataFrame:
    """Would they sign today: scores of every month-end of three years, beside the true chance.

    Of contracts with a term whose holder has not said that it leaves: `p` and `p_true`, of the term
    that the account really signs.
    """
    scores = walk_forward(features, bands, spans_of(case.as_of), "sign_today")
    terms = features[["account_id", "observed_on", "f_contract__is_evergreen"]].assign(
        years=oracle.years_at_stake(features["f_contract__term_months"])
    )
    scores = scores.merge(terms, on=["account_id", "observed_on"])
    scores = scores.assign(month_no=oracle.month_number(scores["observed_on"]))
    both = scores.merge(oracle.chances(case.world), on=["account_id", "month_no"])
    asked = (both["f_contract__is_evergreen"] == 0) & ~both["is_notice_given"] & ~both["is_paused"]
    both = both[asked & both["is_active"]]
    return both.assign(p_true=1.0 - (1.0 - both["p_not_signed"]) ** both["years"])


def test_labels_are_what_happened(judged: pd.DataFrame) -> None:
    assert len(judged) > 500
    assert judged["label_is_lost"].astype(bool).eq(judged["is_lost"]).mean() > 0.99


def test_ranking_comes_near_the_oracle_and_never_past_it(judged: pd.DataFrame) -> None:
    lost = judged["is_lost"].to_numpy(dtype=float)
    reached = auc(lost, judged["p"].to_numpy(dtype=float))
    best = auc(lost, judged["p_lost"].to_numpy(dtype=float))
    print(f"AUC {reached:.3f}, oracle {best:.3f}, {len(lost)} renewals, {lost.sum():.0f} lost")
    # Past the oracle there is nothing to know but the outcome itself.
    assert best - 0.05 <= reached <= best + 0.02, (reached, best)


def test_scores_mean_what_they_say(judged: pd.DataFrame) -> None:
    error = ece(judged["is_lost"].to_numpy(dtype=float), judged["p"].to_numpy(dtype=float))
    print(f"ECE {error:.3f}")
    assert error <= 0.05, error


def test_what_needs_no_model_is_beaten(
    case: Case, judged: pd.DataFrame, features: pd.DataFrame
) -> None:
    """By the interval over accounts: one rate, a segment's, renewals made, one feature in ten bins.

    Each rival knows what the model knew; the first and the third are also told the outcomes of
    these very renewals, which no forecast could know.
    """
    prepared = prepare(features)
    keys = ["account_id", "observed_on"]
    at = prepared.rows[keys].reset_index().merge(judged, on=keys).sort_values("index")
    positions = at["index"].to_numpy(dtype=np.int64)
    lost, p, renewal = (at[c].to_numpy(dtype=float) for c in ("is_lost", "p", "cycle_number"))
    ends = np.array([learned_to for learned_to, _ in spans_of(case.as_of)], dtype="datetime64[D]")
    origins = ends[np.searchsorted(ends, at["observed_on"].to_numpy("datetime64[D]")) - 1]
    walked = baselines.walk(
        prepared, NEXT_RENEWAL.teaches(prepared), positions, origins.astype(object).tolist()
    )
    rivals = {
        **walked.p,
        "one rate, told": np.full(len(at), lost.mean()),
        "renewals made, told": 1.0 - fit_sbg_renewals(renewal, lost).retention(renewal),
    }
    for name, rival in rivals.items():
        skill = clustered_skill(lost, p, rival, at["account_id"])
        print(f"Brier skill over {name}: {skill.estimate:.3f} [{skill.low:.3f}, {skill.high:.3f}]")
        assert skill.low > 0.0, (name, skill)


@pytest.mark.parametrize("capacity", CAPACITIES)
def test_no_more_losses_surprise_than_they_would_the_oracle(
    judged: pd.DataFrame, capacity: float
) -> None:
    """With as many renewals looked after: the losses among the others, of all losses."""
    reached = surprise_rate(judged, "p", capacity)
    best = surprise_rate(judged, "p_lost", capacity)
    print(f"surprise rate at {capacity:.0%}: {reached:.3f}, oracle {best:.3f}")
    assert reached <= best + 0.03, (capacity, reached, best)


def surprise_rate(judged: pd.DataFrame, by: str, capacity: float) -> float:
    """Share of the losses that are not among the riskiest ``capacity`` of the renewals."""
    riskiest = judged.sort_values(by, ascending=False, kind="stable")
    watched = riskiest.head(round(capacity * len(judged)))
    return 1.0 - float(watched["is_lost"].sum()) / float(judged["is_lost"].sum())


def test_the_oracle_is_the_one_that_decided(case: Case) -> None:
    """The chance put together for every month is, where a year was decided, the one drawn from."""
    months = oracle.chances(case.world)
    decided = case.truth("truth_renewals")
    decided = decided[~decided["is_evergreen"]]
    decided = decided.assign(month_no=oracle.month_number(decided["decided_on"]))
    both = decided.merge(months, on=["account_id", "month_no"])
    apart = np.log1p(-both["p_lost"]) / np.log1p(-both["p_not_signed"])
    # Contracts of two and three years weigh more, at fixed rates; a return changes the origin.
    assert np.isclose(apart, 1.0, atol=1e-6).mean() > 0.85
    is_known = np.isclose(apart.to_numpy()[:, None], [1.0, 1.6, 2.4], atol=1e-6).any(axis=1)
    assert is_known.mean() > 0.95


def test_would_they_sign_today_goes_with_the_true_chance(case: Case, today: pd.DataFrame) -> None:
    """The model that has seen most, over the last year, goes with the truth.

    The earlier ones have seen fewer losses, and what each takes for the rate of losses moves with
    them. Told the true chance of other accounts, which no company is, a model reaches .91 (.90 by
    Pearson) from these features: how warm an executive is whom nobody has met is in no system.
    """
    assert len(today) > 10_000
    began, _ = spans_of(case.as_of)[-1]
    last = today[today["observed_on"] > pd.Timestamp(began)]
    for measure, of_last, of_all in ((spearmanr, 0.85, 0.82), (pearsonr, 0.85, 0.80)):
        reached = [float(measure(t["p"], t["p_true"]).statistic) for t in (last, today)]
        print(f"{measure.__name__}: {reached[0]:.3f} of the last year, {reached[1]:.3f} of three")
        assert reached[0] >= of_last, (measure.__name__, reached)
        assert reached[1] >= of_all, (measure.__name__, reached)


def test_shuffled_outcomes_cannot_be_ranked(
    case: Case, features: pd.DataFrame, bands: pd.DataFrame
) -> None:
    first, last = cutoffs(case.as_of)[0], cutoffs(case.as_of)[-1]
    reached = []
    for seed in (1, 2, 3):
        shuffled = shuffle(features, seed)
        scores = at_lead(walk_forward(shuffled, bands, [(first, last)], "next_renewal"))
        scores = scores[scores["label_is_lost"].notna()]
        lost = scores["label_is_lost"].to_numpy(dtype=float)
        reached.append(auc(lost, scores["p"].to_numpy(dtype=float)))
    print(f"AUC of shuffled outcomes: {np.mean(reached):.3f}")
    assert 0.45 <= float(np.mean(reached)) <= 0.55, reached


def shuffle(features: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Outcomes dealt anew among the renewals; all rows about one renewal keep one outcome."""
    renewal = features.groupby(["account_id", "label_due_on"], sort=True, dropna=False).ngroup()
    labelled = features["label_is_lost"].notna()
    first = features[labelled].assign(renewal=renewal[labelled]).drop_duplicates("renewal")
    dealt = np.random.default_rng(seed).permutation(first["label_is_lost"].to_numpy())
    outcome = pd.Series(dealt, index=first["renewal"].to_numpy())
    label = renewal.map(outcome).where(labelled).astype(features["label_is_lost"].dtype)
    return features.assign(label_is_lost=label)
