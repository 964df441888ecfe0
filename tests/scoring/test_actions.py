from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from scoring.actions import ActionConfig, adjusters, associate
from scoring.arrays import logit, sigmoid
from scoring.errors import FrameError


def quarter(seed: int, effect: float = 0.0, accounts: int = 160) -> pd.DataFrame:
    """One to three contracts an account; `review` goes to safe accounts, `idle` to whole accounts.

    Contracts of one account share what no column shows, and so end alike.
    """
    rng = np.random.default_rng(seed)
    of = np.repeat(np.arange(accounts), rng.integers(1, 4, accounts))
    n = len(of)
    risk = rng.beta(2, 6, accounts)[of]
    review = (rng.random(n) < sigmoid(-1.5 * logit(risk) - 1.5)).astype(int)
    hidden = rng.normal(0, 0.8, accounts)[of]
    p = sigmoid(-logit(risk) + hidden + effect * review)
    return pd.DataFrame(
        {
            "account_id": [f"a{k}" for k in of],
            "contract_id": [f"c{k}" for k in range(n)],
            "due_on": pd.Timestamp("2025-03-31"),
            "is_renewed": (rng.random(n) < p).astype(int),
            "segment": rng.choice(["SMB", "enterprise"], accounts)[of],
            "arr_usd": np.exp(rng.normal(9, 1, n)),
            "p_prior": risk,
            "review": review,
            "idle": (rng.random(accounts) < 0.4).astype(int)[of],
        }
    )


def test_what_only_safe_accounts_get_is_adjusted_away() -> None:
    year = pd.concat([quarter(s, accounts=500).assign(q=s) for s in range(4)], ignore_index=True)
    year["account_id"] += "-" + year["q"].astype("str")
    row = associate(year.assign(contract_id=range(len(year))), ["review"]).iloc[0]
    assert row["lift"] > 1.05
    assert row["low"] < 1.0 < row["high"]
    assert not row["is_associated"]


def test_an_action_that_works_is_found_with_its_size() -> None:
    row = associate(quarter(7, effect=1.2, accounts=900), ["review"]).iloc[0]
    assert row["is_associated"]
    # Averaged over what no column shows, odds ratios lie nearer to one than within an account.
    assert row["low"] < np.exp(1.2) < row["high"] * 1.15
    assert row["odds_ratio"] > 2.0
    assert row["renewal_rate_with"] == pytest.approx(row["renewed_with"] / row["renewals_with"])


def test_without_clusters_it_agrees_with_maximum_likelihood() -> None:
    import statsmodels.api as sm

    frame = quarter(9, effect=1.0, accounts=600).drop_duplicates("account_id")
    row = associate(frame, ["review"], ActionConfig(penalty=1e-6)).iloc[0]
    x = np.column_stack([np.ones(len(frame)), frame["review"], adjusters(frame)[:, :2]])
    x = np.column_stack([x, (frame["segment"] == "SMB").astype(float)])
    peer = sm.Logit(frame["is_renewed"].to_numpy(), x).fit(disp=False)
    assert np.log(row["odds_ratio"]) == pytest.approx(peer.params[1], abs=1e-3)
    assert np.log([row["low"], row["high"]]) == pytest.approx(peer.conf_int()[1], abs=0.12)


def test_refusals_and_misuse_are_named() -> None:
    frame = quarter(1).assign(rare=0)
    frame.loc[:4, "rare"] = 1
    row = associate(frame, ["rare"]).iloc[0]
    assert row["refusal"].startswith("5 renewals with and")
    assert np.isnan(row["odds_ratio"])
    assert not row["is_associated"]
    assert "rarer outcome" in associate(frame.assign(is_renewed=1), ["idle"]).iloc[0]["refusal"]
    with pytest.raises(FrameError, match="lacks columns: never"):
        associate(frame, ["never"])
    with pytest.raises(FrameError, match="repeat a renewal"):
        associate(pd.concat([frame, frame]), ["idle"])
    with pytest.raises(FrameError, match="'idle' holds values other"):
        associate(frame.assign(idle=2), ["idle"])
    with pytest.raises(FrameError, match="p_prior lies outside"):
        associate(frame.assign(p_prior=3.0), ["idle"])


def test_without_a_loss_the_ratio_is_open_and_chance_is_still_counted() -> None:
    """Twenty of twenty renewed where six of seven are: rare by chance, but not never."""
    frame = quarter(3, accounts=400).drop_duplicates("account_id").reset_index(drop=True)
    frame = frame.assign(p_prior=0.15, arr_usd=1.0, segment="SMB")
    frame["is_renewed"] = 1
    frame.loc[frame.index[20:77], "is_renewed"] = 0
    frame["spared"] = (frame.index < 20).astype(int)
    row = associate(frame, ["spared"]).iloc[0]
    assert (row["renewal_rate_with"], row["odds_ratio"], row["high"]) == (1.0, np.inf, np.inf)
    assert 0.0 < row["low"] < 1.5
    # Fisher's exact test: .092.
    assert 0.03 < row["p_value"] < 0.15
