"""Differences between the warehouse and what really happened: frames in, differences out.

Belongs here: which columns of which mart answer which truth table, and how closely. Must not be
here: how either side is made. An empty frame means equal; a frame with rows says which key, which
column, what was expected and what was found, so that a failing test needs no second run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from datetime import date
from typing import Any

import pandas as pd

DIFFERENCE_COLUMNS = ["key", "column", "expected", "found"]

MOVEMENT_PARTS = ["seats_usd", "price_usd", "plan_usd"]


def compare(
    found: pd.DataFrame,
    expected: pd.DataFrame,
    *,
    key: Sequence[str],
    money: Sequence[str] = (),
    exact: Sequence[str] = (),
    rates: Sequence[str] = (),
    cents: int = 0,
) -> pd.DataFrame:
    """Compare two frames of one grain.

    Args:
        found: What the warehouse says; one row a key.
        expected: The truth, with the same column names.
        key: Columns that name a row in both.
        money: Columns compared as whole cents; missing counts as zero.
        exact: Columns compared as they are; missing equals missing.
        rates: Columns compared to eight digits: marts keep nine of a float.
        cents: How many cents a money column may be off.

    Returns:
        One row a difference: key (text), column (`row` when a side lacks the row), expected, found.

    Raises:
        ValueError: a key names several rows on one side.
    """
    keys = list(key)
    sides = {}
    for name, frame in (("found", found), ("expected", expected)):
        side = frame[[*keys, *money, *exact, *rates]].copy()
        for column in keys:
            side[column] = _text(side[column])
        repeated = side[side.duplicated(keys)]
        if len(repeated):
            first = repeated[keys].iloc[0].to_dict()
            raise ValueError(f"{name}: {len(repeated)} rows repeat {keys}, first {first}")
        sides[name] = side
    both = sides["expected"].merge(
        sides["found"], on=keys, how="outer", suffixes=("_expected", "_found"), indicator=True
    )
    label = both[keys[0]].str.cat([both[column] for column in keys[1:]], sep=" ")
    parts = [
        pd.DataFrame(
            {
                "key": label,
                "column": "row",
                "expected": both["_merge"].ne("right_only"),
                "found": both["_merge"].ne("left_only"),
            }
        )[both["_merge"].ne("both")]
    ]
    met = both["_merge"].eq("both")
    for column in [*money, *exact, *rates]:
        left, right = both[f"{column}_expected"], both[f"{column}_found"]
        if column in money:
            left, right = _cents(left), _cents(right)
            differs = (left - right).abs() > cents
        elif column in rates:
            differs = (left - right).abs().gt(1e-8) | left.isna().ne(right.isna())
        else:
            left, right = _text(left), _text(right)
            differs = left.ne(right)
        rows = met & differs
        parts.append(
            pd.DataFrame({"key": label, "column": column, "expected": left, "found": right})[rows]
        )
    return pd.concat(parts, ignore_index=True)[DIFFERENCE_COLUMNS]


def precision_and_recall(found: Set[Any], true: Set[Any]) -> tuple[float, float]:
    """Shares of the found that are true, and of the true that are found."""
    both = len(found & true)
    return both / len(found), both / len(true)


def _cents(values: pd.Series) -> pd.Series:
    """Whole cents; missing is nothing paid."""
    return pd.to_numeric(values.astype("float64")).fillna(0).mul(100).round().astype("int64")


def _text(values: pd.Series) -> pd.Series:
    """Comparable text: dates as days, flags as true and false, missing as an empty text."""
    if pd.api.types.is_datetime64_any_dtype(values):
        text = values.dt.strftime("%Y-%m-%d")
    elif pd.api.types.is_float_dtype(values):
        text = values.astype("Int64").astype("string")
    else:
        text = values.astype("string").str.slice(0, 64)
        known = text.dropna()
        if len(known) and known.str.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d").all():
            text = text.str.slice(0, 10)
    # Plain objects: an Arrow-backed text column without rows cannot be merged.
    return text.fillna("").astype(object)


def compare_mrr(account_months: pd.DataFrame, truth_mrr: pd.DataFrame) -> pd.DataFrame:
    """`core.fct_account_months` against `truth_mrr`: each account-month, to the cent."""
    truth = (
        truth_mrr.groupby(["surviving_account_id", "month"], as_index=False)["mrr_usd"]
        .sum()
        .rename(columns={"surviving_account_id": "account_id"})
    )
    found = account_months.rename(columns={"month_end_on": "month", "closing_mrr_usd": "mrr_usd"})
    # The spine opens with the first contract, the truth with its first month-end: both at nothing.
    return compare(
        found[found["mrr_usd"].astype("float64").ne(0)],
        truth[truth["mrr_usd"].ne(0)],
        key=["account_id", "month"],
        money=["mrr_usd"],
    )


def compare_movements(movements: pd.DataFrame, truth_movements: pd.DataFrame) -> pd.DataFrame:
    """`core.fct_mrr_movements` against `truth_movements`: amounts, parts, who decided."""
    # The truth counts the parts of a contraction downwards; the mart's parts sum to its amount.
    sign = truth_movements["movement_type"].eq("contraction").map({True: -1, False: 1})
    truth = truth_movements.assign(
        **{part: truth_movements[part] * sign for part in MOVEMENT_PARTS}
    )
    return compare(
        movements,
        truth,
        key=["account_id", "month", "movement_type"],
        money=["amount_usd", *MOVEMENT_PARTS],
        exact=["is_involuntary"],
    )


def compare_terms(terms: pd.DataFrame, truth_terms: pd.DataFrame, as_of: date) -> pd.DataFrame:
    """`core.fct_contract_terms` against `truth_terms`: every term, its dates, money and outcome."""
    names = {
        "start_on": "started_on",
        "term_no": "cycle_number",
        "next_subscription_id": "superseded_by_subscription_id",
    }
    # The truth lists the term that a running trial will lead to; the mart waits until it does.
    truth = truth_terms[truth_terms["start_on"].le(pd.Timestamp(as_of))].rename(columns=names)
    # The truth marks any end by failed payment, the mart the losses among them.
    truth = truth.assign(is_involuntary=truth["is_involuntary"] & truth["outcome"].eq("lost"))
    return compare(
        terms,
        truth,
        key=["subscription_id", "started_on"],
        money=["due_arr_usd", "renewed_arr_usd"],
        exact=[
            "due_on",
            "ended_on",
            "renewed_on",
            "term_months",
            "cycle_number",
            "outcome",
            "superseded_by_subscription_id",
            "is_evergreen",
            "is_involuntary",
        ],
    )


def differences(
    marts: Mapping[str, pd.DataFrame], truth: Mapping[str, pd.DataFrame], as_of: date
) -> dict[str, pd.DataFrame]:
    """All differences of the revenue marts, by truth table.

    Args:
        marts: `fct_account_months`, `fct_mrr_movements`, `fct_contract_terms` as frames.
        truth: `truth_mrr`, `truth_movements`, `truth_terms`.
        as_of: The day the warehouse was built as of.
    """
    return {
        "truth_mrr": compare_mrr(marts["fct_account_months"], truth["truth_mrr"]),
        "truth_movements": compare_movements(marts["fct_mrr_movements"], truth["truth_movements"]),
        "truth_terms": compare_terms(marts["fct_contract_terms"], truth["truth_terms"], as_of),
    }


def survival_of_truth(
    truth_mrr: pd.DataFrame, truth_movements_surviving: pd.DataFrame
) -> pd.DataFrame:
    """Kaplan-Meier estimate of staying, counted from the truth by cohort month and for all.

    Args:
        truth_mrr: Account-months; the first month paid and the last month seen follow from them.
        truth_movements_surviving: Movements by surviving account; the first churn follows.

    Returns:
        cohort_month (`ever` for all), tenure_month, logos_at_risk, logos_churned, survival_rate.
    """
    mrr = truth_mrr.assign(number=_month_number(truth_mrr["month"]))
    paid = mrr[mrr["mrr_usd"].gt(0)].groupby("surviving_account_id")["number"].min()
    churn = truth_movements_surviving[truth_movements_surviving["movement_type"].eq("churn")]
    left = churn.assign(number=_month_number(churn["month"])).groupby("account_id")["number"].min()
    lives = pd.DataFrame({"born": paid, "left": left.reindex(paid.index)})
    lives["seen"] = int(mrr["number"].max()) - lives["born"]
    lives["died"] = lives["left"] - lives["born"]
    curves = [_curve(lives, "ever")]
    curves += [
        _curve(part, str(pd.Period(year=born // 12, month=born % 12 + 1, freq="M").end_time.date()))
        for born, part in lives.groupby("born")
    ]
    return pd.concat(curves, ignore_index=True)


def _curve(lives: pd.DataFrame, cohort: str) -> pd.DataFrame:
    """Product limit over the months that the oldest of the cohort has been seen for."""
    rows, survival = [], 1.0
    for month in range(int(lives["seen"].max()) + 1):
        there = lives["seen"].ge(month) & ~lives["died"].lt(month)
        died = there & lives["died"].eq(month)
        if there.any():
            survival *= 1.0 - died.sum() / there.sum()
        rows.append((cohort, month, int(there.sum()), int(died.sum()), survival))
    columns = ["cohort_month", "tenure_month", "logos_at_risk", "logos_churned", "survival_rate"]
    return pd.DataFrame(rows, columns=columns)


def _month_number(days: pd.Series) -> pd.Series:
    """Months since the year zero, so that differences are months."""
    stamps = pd.to_datetime(days)
    return stamps.dt.year * 12 + stamps.dt.month - 1


def compare_survival(
    cohort_retention: pd.DataFrame,
    truth_mrr: pd.DataFrame,
    truth_movements_surviving: pd.DataFrame,
) -> pd.DataFrame:
    """`cohorts.cohort_retention` (all segments and origins) against the truth's estimate."""
    whole = cohort_retention[
        cohort_retention["segment"].eq("(all)")
        & cohort_retention["acquisition_origin"].eq("(all)")
        & cohort_retention["cohort_level"].isin(["month", "ever"])
    ]
    found = whole.assign(
        cohort_month=_text(whole["cohort_month"]).where(whole["cohort_level"].eq("month"), "ever"),
    )
    truth = survival_of_truth(truth_mrr, truth_movements_surviving)
    return compare(
        found,
        truth,
        key=["cohort_month", "tenure_month"],
        exact=["logos_at_risk", "logos_churned"],
        rates=["survival_rate"],
    )


def losses_with_causes(drivers: pd.DataFrame, decisions: pd.DataFrame) -> pd.DataFrame:
    """Losses with the true `cause` and `said`, what was told.

    What nobody decided - failed payments, second subscriptions - has no cause and is left out.

    Args:
        drivers: rows of `renewals.departure_drivers`.
        decisions: `truth_renewals`.
    """
    causes = decisions.query("is_lost")[["subscription_id", "due_on", "cause", "stated_reason"]]
    causes = causes.rename(columns={"due_on": "ended_on", "stated_reason": "said"})
    return drivers.merge(causes, on=["subscription_id", "ended_on"], validate="one_to_one")
