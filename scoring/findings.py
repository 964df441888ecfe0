"""What actions, events and programmes stand beside: found once a quarter, and never rewritten.

Belongs here: which quarters are due, the risk foreseen before an action, the tables of findings.
Must not be here: the comparisons (`actions`, `triggers`, `uplift`), verdicts, SQL.

A quarter is looked at once it is over and a few days have let late records come in. Behind its
findings on actions stand the renewals that became final in it, and in as many quarters before it as
are needed for enough losses: a large company's quarters stand alone, a small one's share most of
their renewals.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pyarrow as pa
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from scoring import actions, triggers, uplift
from scoring.actions import ActionConfig
from scoring.arrays import Floats, as_floats, sigmoid
from scoring.errors import FrameError, ScoringError
from scoring.evaluation import benjamini_hochberg
from scoring.frame import NOTICE, FeatureSpec, as_days
from scoring.history import Table
from scoring.ridge import fit_ridge
from scoring.splits import grouped_folds
from scoring.triggers import TriggerConfig
from scoring.uplift import UpliftConfig

ALL = "all"
"""Stands for every segment together."""

_TEXT, _COUNT, _NUMBER, _FLAG = pa.string(), pa.int64(), pa.float64(), pa.bool_()
_DAY, _INSTANT = pa.date32(), pa.timestamp("us", tz="UTC")
_RUN = {"found_on": _DAY, "scored_at": _INSTANT, "run_id": _TEXT}

RENEWALS = (
    "contract_term_id",
    "account_id",
    "due_on",
    "final_on",
    "window_days",
    "observed_before_on",
    "segment",
    "arr_usd",
    "exposed_days",
    "is_evergreen",
    "is_renewed",
)
"""What is asked of a renewal and window."""

ACTIONS = Table(
    "action_findings",
    ("as_of", "action", "window_days", "segment"),
    {
        "as_of": _DAY,
        "action": _TEXT,
        "window_days": _COUNT,
        "segment": _TEXT,
        "final_from_on": _DAY,
        "renewals_with": _COUNT,
        "renewals_without": _COUNT,
        "renewals_unknown": _COUNT,
        "renewed_with": _COUNT,
        "renewed_without": _COUNT,
        "renewal_rate_with": _NUMBER,
        "renewal_rate_without": _NUMBER,
        "lift": _NUMBER,
        "odds_ratio": _NUMBER,
        "low": _NUMBER,
        "high": _NUMBER,
        "p_value": _NUMBER,
        "q_value": _NUMBER,
        "is_associated": _FLAG,
        "refusal": _TEXT,
        **_RUN,
    },
)
TRIGGERS = Table(
    "trigger_findings",
    ("as_of", "trigger_type", "outcome"),
    {
        "as_of": _DAY,
        "trigger_type": _TEXT,
        "outcome": _TEXT,
        "window_days": _COUNT,
        "windows": _COUNT,
        "accounts": _COUNT,
        "days_after": _COUNT,
        "days_control": _COUNT,
        "outcomes_after": _COUNT,
        "outcomes_control": _COUNT,
        "rate_after": _NUMBER,
        "rate_control": _NUMBER,
        "rate_ratio": _NUMBER,
        "low": _NUMBER,
        "high": _NUMBER,
        "p_value": _NUMBER,
        "q_value": _NUMBER,
        "is_associated": _FLAG,
        "refusal": _TEXT,
        **_RUN,
    },
)
PROGRAMS = Table(
    "program_findings",
    ("as_of", "program_id", "outcome_measure"),
    {
        "as_of": _DAY,
        "program_id": _TEXT,
        "outcome_measure": _TEXT,
        "rounds": _COUNT,
        "treated": _COUNT,
        "control": _COUNT,
        "effect": _NUMBER,
        "low": _NUMBER,
        "high": _NUMBER,
        "p_value": _NUMBER,
        "naive": _NUMBER,
        "ess_treated": _NUMBER,
        "ess_control": _NUMBER,
        "overlap_share": _NUMBER,
        "worst_covariate": _TEXT,
        "worst_smd": _NUMBER,
        "refusal": _TEXT,
        **_RUN,
    },
)


@dataclass(frozen=True)
class FindingsConfig:
    """What a quarter's findings stand on.

    Attributes:
        settle_days: days after a quarter's end before it is looked at; late records come in.
        enough_losses: lost renewals that are compared if there are as many: then an action done
            before every third renewal is found in four of five cases if it goes with odds of 1.5,
            though fifty are looked at.
        span_quarters: so many quarters up to the end are taken together at most.
        learn_quarters: renewals of so many quarters teach the risk that is adjusted for.
        trigger_quarters: so much of each account's time is searched for events and outcomes.
        program_quarters: rounds of enrolment in so many quarters up to the end are compared.
        folds: of accounts, for the risk foreseen.
        ridge_c: inverse strength of its ridge.
        min_losses: lost renewals below which no risk is foreseen.
        grace_days: days after due in which a late renewal still counts as renewed.
        horizon_days: a programme's renewal falls due within so many days of the last look before.
        actions: how actions are compared.
        triggers: how events are.
        uplift: how programmes are that were not drawn by lot.
    """

    settle_days: int = 5
    enough_losses: int = 600
    span_quarters: int = 20
    learn_quarters: int = 20
    trigger_quarters: int = 20
    program_quarters: int = 12
    folds: int = 3
    ridge_c: float = 0.05
    min_losses: int = 10
    grace_days: int = 60
    horizon_days: int = 366
    actions: ActionConfig = field(default_factory=ActionConfig)
    triggers: TriggerConfig = field(default_factory=TriggerConfig)
    uplift: UpliftConfig = field(default_factory=lambda: UpliftConfig(with_trees=False))


DEFAULT = FindingsConfig()


def quarters_due(
    as_of: dt.date,
    found: Collection[dt.date],
    newest: int,
    config: FindingsConfig = DEFAULT,
) -> list[dt.date]:
    """Last days of the quarters to look at, oldest first.

    Args:
        as_of: date of the night.
        found: quarters that have their findings.
        newest: so many quarters are looked at afterwards; what is missing before them stays so.
        config: parameters.
    """
    settled = pd.Timestamp(as_of) - pd.Timedelta(days=config.settle_days)
    ends = pd.date_range(end=settled, periods=newest, freq="QE-DEC")
    return [end.date() for end in ends if end.date() not in found]


def action_findings(
    quarter_end: dt.date,
    renewals: pd.DataFrame,
    done: pd.DataFrame,
    features: pd.DataFrame,
    names: Sequence[str],
    config: FindingsConfig = DEFAULT,
) -> pd.DataFrame:
    """Which actions stood beside more renewals, overall and by segment.

    The q-values are those of every action and window of a segment together, since they are read
    together.

    Args:
        quarter_end: last day of the quarter.
        renewals: `RENEWALS`, one row a renewal and window; observed_before_on is the last look
            before the window, exposed_days the window's true length. Those final later are left
            out.
        done: contract_term_id, window_days, action, is_done (1, 0, or missing where not known).
        features: as `int_account_features` publishes them.
        names: of the actions.
        config: parameters.

    Returns:
        Rows of `ACTIONS` but for the columns of the run.

    Raises:
        FrameError: a column is missing or holds a value outside its domain.
    """
    _require(renewals, "renewals", RENEWALS)
    _require(done, "done", ("contract_term_id", "window_days", "action", "is_done"))
    final_on = as_days(renewals["final_on"])
    matured = final_on <= pd.Timestamp(quarter_end)
    learnt = matured & (final_on > _start(quarter_end, config.learn_quarters))
    begin = _span_begin(quarter_end, renewals[matured], config)
    spanned = matured & (final_on > begin)
    observed = _Observed(features)
    # Thousands of small systems of equations: threads would only wait for each other.
    with threadpool_limits(limits=1):
        tables = _compared(renewals, done, observed, learnt, spanned, names, config)
    if not tables:
        return _typed(pd.DataFrame(columns=ACTIONS.columns), ACTIONS)
    table = pd.concat(tables, ignore_index=True).assign(
        as_of=quarter_end, final_from_on=(begin + pd.Timedelta(days=1)).date()
    )
    for _, family in table.groupby("segment"):
        p_values = as_floats(family["p_value"].astype("float64"))
        rejected, q_values = benjamini_hochberg(p_values, config.actions.q)
        table.loc[family.index, "q_value"] = q_values
        table.loc[family.index, "is_associated"] = rejected
    return _typed(table, ACTIONS)


def foreseen_risk(renewals: pd.DataFrame, x: Floats, config: FindingsConfig = DEFAULT) -> Floats:
    """Probability of loss as it could be foreseen before the window, by models without the account.

    Stored scores do not reach back to when a company began to keep them, so the risk is fitted
    anew: a ridge over the features of each renewal's last look before its window, cross-fitted by
    account. It adjusts a comparison and is no forecast: it has seen renewals of the same time.

    Args:
        renewals: account_id and is_renewed.
        x: features, one row a renewal, all NaN where nothing had been observed.
        config: parameters.

    Returns:
        One probability a renewal; NaN where nothing had been observed or losses are too few.
    """
    risk = np.full(len(renewals), np.nan)
    seen = np.flatnonzero(~np.isnan(x).all(axis=1))
    lost = 1.0 - as_floats(renewals["is_renewed"].astype("float64"))[seen]
    accounts = renewals["account_id"].astype("str").to_numpy()[seen]
    rarer = min(float(lost.sum()), len(lost) - float(lost.sum()))
    if rarer < config.min_losses or len(set(accounts)) < config.folds:
        return risk
    names = tuple(f"x{j}" for j in range(x.shape[1]))
    for train, test in grouped_folds(list(accounts), config.folds, seed=7):
        if len(np.unique(lost[train])) < 2:
            continue
        model = fit_ridge(x[seen[train]], lost[train], names, config.ridge_c)
        risk[seen[test]] = sigmoid(model.raw_logit(x[seen[test]]))
    return risk


def trigger_findings(
    quarter_end: dt.date,
    events: pd.DataFrame,
    outcomes: pd.DataFrame,
    observed: pd.DataFrame,
    config: FindingsConfig = DEFAULT,
) -> pd.DataFrame:
    """Which events were followed by which outcomes more often than the days before them.

    Args:
        quarter_end: last day of the quarter; nothing later is looked at.
        events: account_id, trigger_type, occurred_on.
        outcomes: account_id, outcome, occurred_on.
        observed: account_id, observed_from, observed_to; one row an account.
        config: parameters.

    Returns:
        Rows of `TRIGGERS` but for the columns of the run; the q-values are those of every pair.

    Raises:
        FrameError: a column is missing, a date is none, or an account is observed twice.
    """
    _require(outcomes, "outcomes", ("outcome",))
    begin = _start(quarter_end, config.trigger_quarters) + pd.Timedelta(days=1)
    first, last = as_days(observed["observed_from"]), as_days(observed["observed_to"])
    spans = observed.assign(
        observed_from=first.where(first >= begin, begin),
        observed_to=last.where(last <= pd.Timestamp(quarter_end), pd.Timestamp(quarter_end)),
    )
    spans = spans[spans["observed_from"] <= spans["observed_to"]]
    tables = []
    for outcome, part in outcomes.groupby(outcomes["outcome"].astype("str"), sort=True):
        try:
            found = triggers.discover(events, part, spans, config.triggers)
        except FrameError:
            raise
        except ScoringError as error:
            # What ends an account cannot be compared with the time before: said, not estimated.
            found = pd.DataFrame({"trigger_type": sorted(set(events["trigger_type"]))})
            found = found.reindex(columns=list(triggers.COLUMNS)).assign(refusal=str(error))
        tables.append(found.assign(outcome=outcome))
    if not tables:
        return _typed(pd.DataFrame(columns=TRIGGERS.columns), TRIGGERS)
    table = pd.concat(tables, ignore_index=True).assign(
        as_of=quarter_end, window_days=config.triggers.window_days
    )
    p_values = as_floats(table["p_value"].astype("float64"))
    rejected, q_values = benjamini_hochberg(p_values, config.triggers.q)
    return _typed(table.assign(q_value=q_values, is_associated=rejected), TRIGGERS)


def program_findings(
    quarter_end: dt.date,
    enrolments: pd.DataFrame,
    features: pd.DataFrame,
    config: FindingsConfig = DEFAULT,
) -> pd.DataFrame:
    """What programmes changed whose arms were not drawn by lot - or why that cannot be said.

    Each day on which accounts were enrolled is a round. At the last month-end before it everybody
    who could still have been enrolled is looked at: treated is who was, untreated who was not, as
    in a trial that was never held (Hernan and Robins 2016, "Using big data to emulate a target
    trial when a randomized trial is not available"). All rounds together are one table.

    Args:
        quarter_end: last day of the quarter; only renewals that were final by then count.
        enrolments: program_id, account_id, arm, enrolled_on, is_comparable (False where the arm
            was logged late or is both); of programmes not drawn by lot.
        features: as `int_account_features` publishes them.
        config: parameters.

    Returns:
        Rows of `PROGRAMS` but for the columns of the run.

    Raises:
        FrameError: a column is missing.
    """
    _require(enrolments, "enrolments", ("program_id", "account_id", "arm", "enrolled_on"))
    _require(enrolments, "enrolments", ("is_comparable",))
    chances = _chances(quarter_end, features, config)
    spec = FeatureSpec.from_columns(list(features.columns))
    rows = []
    for program, part in enrolments.groupby(enrolments["program_id"].astype("str"), sort=True):
        table = _rounds(quarter_end, part, chances, config)
        rows.append(
            {
                "as_of": quarter_end,
                "program_id": program,
                "outcome_measure": "next_renewal_kept",
                "rounds": int(table["observed_on"].nunique()),
                **_estimated(table, spec.columns, config),
            }
        )
    return _typed(pd.DataFrame(rows, columns=_given(PROGRAMS)), PROGRAMS)


def _compared(
    renewals: pd.DataFrame,
    done: pd.DataFrame,
    observed: _Observed,
    learnt: pd.Series,
    spanned: pd.Series,
    names: Sequence[str],
    config: FindingsConfig,
) -> list[pd.DataFrame]:
    """Every window and segment, with the risk foreseen before the window held equal."""
    compared = set(renewals.loc[spanned, "contract_term_id"])
    tables = []
    for window in sorted(set(renewals["window_days"])):
        of_window = (renewals["window_days"] == window).to_numpy()
        known = renewals[of_window & learnt].reset_index(drop=True)
        risk = foreseen_risk(known, observed.at(known), config)
        asked = known.assign(p_prior=risk)
        asked = asked[asked["contract_term_id"].isin(compared)]
        asked = asked.assign(segment=asked["segment"].astype("object").fillna("unknown"))
        flags = _flags(done[done["window_days"] == window], asked["contract_term_id"], names)
        for segment in (ALL, *sorted(set(asked["segment"]))):
            part = asked if segment == ALL else asked[asked["segment"] == segment]
            found = _associated(part.set_index("contract_term_id"), flags, names, config)
            tables.append(found.assign(window_days=int(window), segment=segment))
    return tables


class _Observed:
    """Features by account and day, so that each window finds its own rows quickly."""

    def __init__(self, features: pd.DataFrame) -> None:
        _require(features, "features", ("account_id", "observed_on"))
        spec = FeatureSpec.from_columns(list(features.columns))
        self._index = _keys(features["account_id"], features["observed_on"])
        if self._index.has_duplicates:
            raise FrameError("features hold an account twice on a day; one row each is needed")
        self._x = as_floats(features[list(spec.columns)].astype("float64"))

    def at(self, renewals: pd.DataFrame) -> Floats:
        """Features of each renewal's last look before its window; NaN where there was none."""
        at = self._index.get_indexer(_keys(renewals["account_id"], renewals["observed_before_on"]))
        x = np.full((len(renewals), self._x.shape[1]), np.nan)
        x[at >= 0] = self._x[at[at >= 0]]
        return x


def _keys(account_id: pd.Series, day: pd.Series) -> pd.Index:
    days = as_days(day).dt.strftime("%Y-%m-%d")
    return pd.Index([f"{a}|{d}" for a, d in zip(account_id, days, strict=True)], dtype="object")


def _flags(done: pd.DataFrame, terms: pd.Series, names: Sequence[str]) -> pd.DataFrame:
    """A row a renewal, a column an action; missing where it is not known."""
    wide = done.pivot(index="contract_term_id", columns="action", values="is_done")
    return wide.reindex(index=list(terms), columns=list(names)).astype("float64")


def _associated(
    renewals: pd.DataFrame, flags: pd.DataFrame, names: Sequence[str], config: FindingsConfig
) -> pd.DataFrame:
    """Actions compared over the renewals of which each is known."""
    flags = flags.loc[renewals.index]
    tables = []
    for known, alike in _alike(flags, names):
        rows = renewals[known]
        if len(rows) == 0:
            tables.append(_not_known(alike, len(renewals)))
            continue
        whole = rows.join(flags.loc[rows.index, alike]).rename_axis("contract_id").reset_index()
        found = actions.associate(
            whole, alike, config.actions, also=("exposed_days", "is_evergreen")
        )
        tables.append(found.assign(renewals_unknown=len(renewals) - len(rows)))
    return pd.concat(tables, ignore_index=True)


def _alike(flags: pd.DataFrame, names: Sequence[str]) -> Iterator[tuple[pd.Series, list[str]]]:
    """Actions that are known of the same renewals, so that these are prepared once."""
    groups: dict[bytes, list[str]] = {}
    for name in names:
        groups.setdefault(flags[name].notna().to_numpy().tobytes(), []).append(name)
    for alike in groups.values():
        yield flags[alike[0]].notna(), alike


def _not_known(names: Sequence[str], renewals: int) -> pd.DataFrame:
    reason = (
        f"not recorded in the time of any of {renewals} renewals"
        if renewals
        else "no renewal became final"
    )
    counts = dict.fromkeys(
        ("renewals_with", "renewals_without", "renewed_with", "renewed_without"), 0
    )
    table = pd.DataFrame({"action": list(names), **counts}).reindex(columns=list(actions.COLUMNS))
    return table.assign(refusal=reason, is_associated=False, renewals_unknown=renewals)


def _chances(quarter_end: dt.date, features: pd.DataFrame, config: FindingsConfig) -> pd.DataFrame:
    """Looks at accounts whose next renewal was undecided then, due within the year, and is final.

    A renewal due in the month of the look may be over before the round, so it is nobody's chance.
    """
    needed = ("account_id", "observed_on", "label_is_lost", "label_due_on", "label_known_on")
    _require(features, "features", (*needed, NOTICE))
    observed, due = as_days(features["observed_on"]), as_days(features["label_due_on"])
    final = pd.concat(
        [as_days(features["label_known_on"]), due + pd.Timedelta(days=config.grace_days)], axis=1
    ).max(axis=1, skipna=False)
    notice = as_days(features[NOTICE])
    counted = features["label_is_lost"].notna() & (final <= pd.Timestamp(quarter_end))
    counted &= due > observed + pd.Timedelta(days=31)
    counted &= due <= observed + pd.Timedelta(days=config.horizon_days)
    counted &= ~(notice <= observed)
    # Who left inside the term before the round could not have been enrolled in it.
    counted &= as_days(features["label_known_on"]) > observed + pd.Timedelta(days=31)
    chances = features[counted].copy()
    chances["observed_on"] = observed[counted]
    chances["is_kept"] = 1 - chances["label_is_lost"].astype("int64")
    return chances.assign(account_id=chances["account_id"].astype("str"))


def _rounds(
    quarter_end: dt.date,
    enrolments: pd.DataFrame,
    chances: pd.DataFrame,
    config: FindingsConfig,
) -> pd.DataFrame:
    """The table of one programme: who could have been enrolled at each round, and who was."""
    accounts = enrolments["account_id"].astype("str")
    treated = enrolments["is_comparable"].astype("bool") & (enrolments["arm"] == "treated")
    day = as_days(enrolments["enrolled_on"])
    look = day - pd.offsets.MonthEnd(1)
    round_of = dict(zip(accounts[treated], look[treated], strict=True))
    begin = _start(quarter_end, config.program_quarters)
    rounds = sorted({r for r in round_of.values() if begin < r <= pd.Timestamp(quarter_end)})
    table = chances[chances["observed_on"].isin(rounds)]
    unclear = set(accounts[~enrolments["is_comparable"].astype("bool")])
    table = table[~table["account_id"].isin(unclear)]
    enrolled_at = [round_of.get(a) for a in table["account_id"]]
    table = table.assign(enrolled_at=pd.Series(enrolled_at, table.index, dtype="datetime64[us]"))
    table = table[~(table["enrolled_at"] < table["observed_on"])]
    return table.assign(is_treated=(table["enrolled_at"] == table["observed_on"]).astype("int64"))


def _estimated(
    table: pd.DataFrame, covariates: Sequence[str], config: FindingsConfig
) -> dict[str, object]:
    """The estimate of one programme, or the reason why there is none."""
    varied = [c for c in covariates if table[c].nunique(dropna=False) > 1]
    given = table.assign(**{c: table[c].astype("float64") for c in varied})
    counts: dict[str, object] = {
        "treated": int(table["is_treated"].sum()),
        "control": int((1 - table["is_treated"]).sum()),
    }
    try:
        found = uplift.estimate(
            given, "is_treated", "is_kept", varied, groups="account_id", config=config.uplift
        )
    except ScoringError as error:
        return counts | {"refusal": str(error)}
    worst = found.balance.iloc[0]
    return counts | {
        "effect": found.effect,
        "low": found.low,
        "high": found.high,
        "p_value": found.p_value,
        "naive": found.naive,
        "ess_treated": found.ess_treated,
        "ess_control": found.ess_control,
        "overlap_share": found.overlap_share,
        "worst_covariate": str(worst["covariate"]),
        "worst_smd": float(worst["smd_after"]),
        "refusal": found.refusal,
    }


def _given(table: Table) -> list[str]:
    """Columns of a table that its finding fills, without those of the run."""
    return [c for c in table.columns if c not in _RUN]


def _typed(rows: pd.DataFrame, table: Table) -> pd.DataFrame:
    """Rows of a finding with the types of its table; doubles to nine digits."""
    typed = rows.reindex(columns=_given(table)).reset_index(drop=True)
    for column in _given(table):
        kind = table.types[column]
        if kind == _COUNT:
            typed[column] = typed[column].astype("Int64")
        elif kind == _NUMBER:
            # An open end of an interval is no number.
            numbers = typed[column].astype("float64").round(9)
            typed[column] = numbers.where(np.isfinite(numbers))
        elif kind == _FLAG:
            typed[column] = typed[column].fillna(value=False).astype("bool")
        elif kind == _TEXT:
            typed[column] = typed[column].astype("object")
    return typed


def _span_begin(
    quarter_end: dt.date, matured: pd.DataFrame, config: FindingsConfig
) -> pd.Timestamp:
    """Last day before the renewals that are compared."""
    lost = matured[~matured["is_renewed"].astype("bool")]
    final_on = as_days(lost.drop_duplicates("contract_term_id")["final_on"])
    begin = _start(quarter_end, 1)
    for quarters in range(1, config.span_quarters + 1):
        begin = _start(quarter_end, quarters)
        if int((final_on > begin).sum()) >= config.enough_losses:
            break
    return begin


def _start(quarter_end: dt.date, quarters: int) -> pd.Timestamp:
    """Last day of the quarter before the first of so many."""
    return pd.Timestamp(quarter_end) - pd.offsets.QuarterEnd(quarters)


def _require(frame: pd.DataFrame, name: str, needed: Sequence[str]) -> None:
    missing = [c for c in needed if c not in frame.columns]
    if missing:
        raise FrameError(f"{name} lacks columns: {', '.join(missing)}")
