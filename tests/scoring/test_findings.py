from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ingestion.schemas import table as declared
from scoring import findings, history
from scoring.actions import ActionConfig
from scoring.arrays import sigmoid
from scoring.errors import FrameError
from scoring.findings import ALL, FindingsConfig, quarters_due

QUARTER = dt.date(2025, 3, 31)
NAMES = ["review", "visit", "webinar"]
Frames = tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]


def company(seed: int = 1, accounts: int = 600) -> Frames:
    """A renewal a month for each account in turn; a review is held with the safe, a visit helps.

    Of no renewal before 2025 is it known whether there was a webinar.
    """
    rng = np.random.default_rng(seed)
    health = rng.normal(size=accounts)
    final_on = pd.Timestamp("2022-04-10") + pd.to_timedelta(rng.integers(0, 1080, accounts), "D")
    review = (rng.random(accounts) < sigmoid(1.5 * health)).astype(float)
    visit = (rng.random(accounts) < 0.4).astype(float)
    webinar = np.where(final_on >= pd.Timestamp("2025-01-01"), 1.0 * (health > 0), np.nan)
    kept = rng.random(accounts) < sigmoid(0.8 + 1.2 * health + 1.3 * visit)
    one = pd.DataFrame(
        {
            "contract_term_id": [f"t{k}" for k in range(accounts)],
            "account_id": [f"a{k}" for k in range(accounts)],
            "due_on": final_on - pd.Timedelta(days=60),
            "final_on": final_on,
            "observed_before_on": pd.Timestamp("2022-01-31"),
            "segment": rng.choice(["SMB", "enterprise"], accounts),
            "arr_usd": np.exp(rng.normal(9, 1, accounts)),
            "exposed_days": 90,
            "is_evergreen": rng.random(accounts) < 0.3,
            "is_renewed": kept,
        }
    )
    renewals = pd.concat([one.assign(window_days=w) for w in (90, 365)], ignore_index=True)
    flags = pd.DataFrame({"review": review, "visit": visit, "webinar": webinar})
    flags = flags.assign(contract_term_id=one["contract_term_id"])
    long = flags.melt("contract_term_id", var_name="action", value_name="is_done")
    done = pd.concat([long.assign(window_days=w) for w in (90, 365)], ignore_index=True)
    features = pd.DataFrame(
        {
            "account_id": one["account_id"],
            "observed_on": dt.date(2022, 1, 31),
            "f_usage__health": health + rng.normal(0, 0.1, accounts),
            "f_voice__never": np.nan,
        }
    )
    return renewals, done, features


@pytest.fixture(scope="module")
def found() -> pd.DataFrame:
    return findings.action_findings(QUARTER, *company(), NAMES)


def row(found: pd.DataFrame, action: str, segment: str = ALL) -> pd.Series:
    at = (found["action"] == action) & (found["segment"] == segment) & (found["window_days"] == 90)
    (one,) = found.index[at]
    wanted: pd.Series = found.loc[one]
    return wanted


def test_what_helps_is_told_from_what_goes_to_the_safe(found: pd.DataFrame) -> None:
    visit, review = row(found, "visit"), row(found, "review")
    assert visit["is_associated"]
    assert visit["low"] > 1.0
    assert review["lift"] > 1.1
    # The risk foreseen before the window holds equal what chose the safe.
    assert review["low"] < 1.0 < review["high"]
    assert not review["is_associated"]


def test_unknown_is_on_neither_side(found: pd.DataFrame) -> None:
    webinar, visit = row(found, "webinar"), row(found, "visit")
    sides = webinar["renewals_with"] + webinar["renewals_without"]
    assert webinar["renewals_unknown"] > 0
    assert sides + webinar["renewals_unknown"] == visit["renewals_with"] + visit["renewals_without"]
    renewals, done, features = company()
    never = done.assign(is_done=done["is_done"].where(done["action"] != "webinar"))
    one = row(findings.action_findings(QUARTER, renewals, never, features, NAMES), "webinar")
    assert one["refusal"].startswith("not recorded in the time of any of ")
    assert one["renewals_with"] == 0


def test_each_renewal_counts_once_and_segments_add_up(found: pd.DataFrame) -> None:
    assert not found.duplicated(["action", "window_days", "segment"]).any()
    parts = [row(found, "visit", s)["renewals_with"] for s in ("SMB", "enterprise")]
    assert sum(parts) == row(found, "visit")["renewals_with"]


def test_as_many_quarters_as_hold_enough_losses() -> None:
    renewals, done, features = company()

    def first(config: FindingsConfig) -> dt.date:
        table = findings.action_findings(QUARTER, renewals, done, features, NAMES, config)
        (day,) = set(table["final_from_on"])
        assert isinstance(day, dt.date)
        return day

    assert first(FindingsConfig(enough_losses=1)) == dt.date(2025, 1, 1)
    assert first(FindingsConfig(enough_losses=10**6, span_quarters=12)) == dt.date(2022, 4, 1)
    once = renewals[renewals["window_days"] == 90]
    of_quarter = once["final_on"].between("2025-01-01", "2025-03-31")
    lost = int((of_quarter & ~once["is_renewed"]).sum())
    assert first(FindingsConfig(enough_losses=lost)) == dt.date(2025, 1, 1)
    assert first(FindingsConfig(enough_losses=lost + 1)) == dt.date(2024, 10, 1)


def test_nothing_after_the_quarter_changes_what_it_found(found: pd.DataFrame) -> None:
    renewals, done, features = company()
    later = renewals.assign(
        contract_term_id="x" + renewals["contract_term_id"],
        account_id="x" + renewals["account_id"],
        final_on=pd.Timestamp("2025-04-01"),
        is_renewed=False,
    )
    also = done.assign(contract_term_id="x" + done["contract_term_id"], is_done=1.0)
    more = pd.concat([features, features.assign(account_id="x" + features["account_id"])])
    again = findings.action_findings(
        QUARTER, pd.concat([renewals, later]), pd.concat([done, also]), more, NAMES
    )
    pd.testing.assert_frame_equal(again, found)


def test_the_risk_is_foreseen_by_models_that_know_nothing_of_the_account() -> None:
    rng = np.random.default_rng(3)
    health = rng.normal(size=400)
    renewals = pd.DataFrame(
        {
            "account_id": [f"a{k // 2}" for k in range(400)],
            "is_renewed": rng.random(400) < sigmoid(1 + 2 * health),
        }
    )
    x = np.column_stack([health, rng.normal(size=400)])
    x[:40] = np.nan
    risk = findings.foreseen_risk(renewals, x)
    assert np.isnan(risk[:40]).all()
    assert np.corrcoef(risk[40:], health[40:])[0, 1] < -0.8
    # The other outcome of an account moves the risk of the others, never its own.
    turned = renewals.copy()
    turned.loc[[398, 399], "is_renewed"] = ~turned.loc[[398, 399], "is_renewed"]
    moved = findings.foreseen_risk(turned, x)
    assert moved[398:] == pytest.approx(risk[398:], abs=1e-12)
    assert np.abs(moved[40:398] - risk[40:398]).max() > 1e-6
    few = findings.foreseen_risk(renewals, x, FindingsConfig(min_losses=10**6))
    assert np.isnan(few).all()


def test_a_quarter_is_due_once_it_has_settled() -> None:
    assert quarters_due(dt.date(2025, 4, 4), [], 2) == [dt.date(2024, 9, 30), dt.date(2024, 12, 31)]
    assert quarters_due(dt.date(2025, 4, 5), [], 2) == [dt.date(2024, 12, 31), QUARTER]
    assert quarters_due(dt.date(2025, 6, 30), [QUARTER], 2) == [dt.date(2024, 12, 31)]
    assert quarters_due(dt.date(2025, 6, 30), [QUARTER], 1) == []


def test_events_are_compared_with_the_days_before_them() -> None:
    rng = np.random.default_rng(5)
    accounts, days = 300, 1100
    start = pd.Timestamp("2022-04-01")
    events, outcomes = [], []
    for a in range(accounts):
        for kind in ("new_boss", "move"):
            day = int(rng.integers(200, 900))
            events.append((f"a{a}", kind, start + pd.Timedelta(days=day)))
            hits = np.flatnonzero(rng.random(90) < (0.005 if kind == "new_boss" else 0.0))
            outcomes += [
                (f"a{a}", "seats_added", start + pd.Timedelta(days=day + 1 + h)) for h in hits
            ]
        outcomes += [
            (f"a{a}", "seats_added", start + pd.Timedelta(days=int(d)))
            for d in np.flatnonzero(rng.random(days) < 0.0015)
        ]
        outcomes.append((f"a{a}", "left", start + pd.Timedelta(days=days)))
    found = findings.trigger_findings(
        QUARTER,
        pd.DataFrame(events, columns=["account_id", "trigger_type", "occurred_on"]),
        pd.DataFrame(outcomes, columns=["account_id", "outcome", "occurred_on"]),
        pd.DataFrame(
            {
                "account_id": [f"a{a}" for a in range(accounts)],
                "observed_from": start,
                # Longer than the quarter, which it is cut to.
                "observed_to": start + pd.Timedelta(days=days),
            }
        ),
    )
    of = {(r["outcome"], r["trigger_type"]): r for r in found.to_dict("records")}
    boss, move = of["seats_added", "new_boss"], of["seats_added", "move"]
    assert boss["is_associated"]
    assert boss["rate_ratio"] > 1.5
    assert not move["is_associated"]
    # Nobody is observed after the quarter, so no departure is an outcome inside it.
    assert of["left", "move"]["refusal"] == "0 outcomes in the windows; 10 are needed"


def test_what_ends_accounts_is_refused_with_the_reason_and_the_rest_goes_on() -> None:
    days = pd.date_range("2024-01-01", periods=60, freq="D")
    events = pd.DataFrame({"account_id": "a", "trigger_type": "move", "occurred_on": days[30]}, [0])
    outcomes = pd.DataFrame(
        {"account_id": "a", "outcome": ["left", "ticket"], "occurred_on": [days[59], days[40]]}
    )
    observed = pd.DataFrame(
        {"account_id": ["a"], "observed_from": days[:1], "observed_to": days[59:]}
    )
    found = findings.trigger_findings(QUARTER, events, outcomes, observed)
    why = dict(zip(found["outcome"], found["refusal"], strict=True))
    assert "end their account's observation" in why["left"]
    assert why["ticket"] == "1 exposed windows; 20 are needed"
    none = findings.trigger_findings(QUARTER, events, outcomes.head(0), observed)
    assert none.empty


def programme(pull: float, seed: int = 2) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Two rounds; the healthy are enrolled rather (by `pull`), to no effect.

    Some had given notice by the second round, and some accounts' arm was written down afterwards.
    """
    rng = np.random.default_rng(seed)
    n = 900
    health = rng.normal(size=n)
    account = np.array([f"a{k}" for k in range(n)])
    first = rng.random(n) < 0.4 * sigmoid(pull * health)
    second = ~first & (rng.random(n) < 0.4 * sigmoid(pull * health))
    kept = rng.random(n) < sigmoid(1.0 + health)
    enrolled = pd.DataFrame(
        {
            "program_id": "p",
            "account_id": np.concatenate([account[first], account[second]]),
            "arm": "treated",
            "enrolled_on": [dt.date(2023, 3, 1)] * int(first.sum())
            + [dt.date(2023, 9, 1)] * int(second.sum()),
            "is_comparable": True,
        }
    )
    looks = pd.DataFrame(
        {
            "account_id": account,
            "f_usage__health": health + rng.normal(0, 0.2, n),
            "f_usage__other": rng.normal(size=n),
            "label_is_lost": (~kept).astype(float),
            "label_due_on": dt.date(2023, 12, 15),
            "label_known_on": dt.date(2024, 2, 13),
            "label_notice_on": None,
        }
    )
    late = looks.assign(observed_on=dt.date(2023, 8, 31))
    late.loc[rng.random(n) < 0.1, "label_notice_on"] = dt.date(2023, 8, 1)
    return enrolled, pd.concat([looks.assign(observed_on=dt.date(2023, 2, 28)), late])


def test_a_programme_that_was_not_drawn_is_compared_round_by_round() -> None:
    enrolled, features = programme(pull=0.7)
    (found,) = findings.program_findings(QUARTER, enrolled, features).to_dict("records")
    assert (found["rounds"], found["refusal"]) == (2, None)
    assert found["low"] < 0.0 < found["high"]
    # What one would have believed.
    assert found["naive"] > 0.05
    noticed = set(features.loc[features["label_notice_on"].notna(), "account_id"])
    of_second = enrolled["enrolled_on"] == dt.date(2023, 9, 1)
    gone = int((of_second & enrolled["account_id"].isin(noticed)).sum())
    assert found["treated"] == len(enrolled) - gone
    # Who was enrolled in the first round can be no control of the second.
    firsts = len(enrolled) - int(of_second.sum())
    others = 900 - firsts - len(noticed - set(enrolled.loc[~of_second, "account_id"]))
    assert found["control"] == (900 - firsts) + (others - int(of_second.sum()) + gone)


def test_a_programme_without_overlap_or_without_rounds_is_refused() -> None:
    enrolled, features = programme(pull=9.0)
    (found,) = findings.program_findings(QUARTER, enrolled, features).to_dict("records")
    assert "'f_usage__health' still differs by" in found["refusal"]
    assert np.isnan(found["effect"])
    unclear = enrolled.assign(is_comparable=False)
    (none,) = findings.program_findings(QUARTER, unclear, features).to_dict("records")
    assert (none["rounds"], none["treated"], none["control"]) == (0, 0, 0)
    assert none["refusal"] is not None
    early = findings.program_findings(dt.date(2023, 12, 31), enrolled, features)
    # The renewals are not final yet.
    assert early["treated"].tolist() == [0]


def test_findings_are_appended_once(tmp_path: Path, found: pd.DataFrame) -> None:
    stamp = pd.Timestamp("2025-04-06 02:00", tz="UTC")
    rows = found.assign(found_on=dt.date(2025, 4, 5), scored_at=stamp, run_id="r")
    assert history.append(tmp_path, rows, findings.ACTIONS) == len(rows)
    # Not even other figures change what was found.
    other = rows.assign(odds_ratio=9.0, run_id="s")
    assert history.append(tmp_path, other, findings.ACTIONS) == 0
    stored = history.read(tmp_path, table=findings.ACTIONS)
    assert set(stored["as_of"]) == {QUARTER}
    key = ["action", "window_days", "segment"]
    left, right = stored.set_index(key), rows.set_index(key).sort_index()
    pd.testing.assert_series_equal(
        left["odds_ratio"].sort_index(), right["odds_ratio"], check_index_type=False
    )


@pytest.mark.parametrize("table", [findings.ACTIONS, findings.TRIGGERS, findings.PROGRAMS])
def test_the_lake_declares_what_is_written(table: history.Table) -> None:
    landed = declared("scores", table.name)
    assert {c.name: c.type.arrow for c in landed.columns} == {
        name: table.schema.field(name).type for name in table.schema.names
    }
    assert tuple(landed.key) == table.key


def test_misuse_is_named() -> None:
    renewals, done, features = company(accounts=30)
    with pytest.raises(FrameError, match="renewals lacks columns: exposed_days"):
        findings.action_findings(
            QUARTER, renewals.drop(columns="exposed_days"), done, features, NAMES
        )
    with pytest.raises(FrameError, match="twice on a day"):
        findings.action_findings(QUARTER, renewals, done, pd.concat([features] * 2), NAMES)
    with pytest.raises(FrameError, match="something that is no date"):
        findings.action_findings(QUARTER, renewals.assign(final_on="soon"), done, features, NAMES)
    small = replace(FindingsConfig(), actions=ActionConfig(min_renewals=1000))
    table = findings.action_findings(QUARTER, renewals, done, features, NAMES, small)
    assert table["refusal"].notna().all()
    empty = findings.action_findings(QUARTER, renewals.head(0), done, features, NAMES)
    assert empty.empty
