"""The feature frame: what a column may be, and when its row may be learnt from.

Belongs here: the columns' contract, the deny-list, leakage checks, the time of label maturity.
Must not: fitting, splitting, any knowledge of a model.

One row is an account on a day (`account_id`, `observed_on`). A row's label is the outcome of the
account's next renewal, and it may be used from `matured_on`: the day on which **either** outcome
would have been final. A renewal signed five months early is known early, a loss only after the
grace; taking each label when it became known would fill the newest training months with renewals.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from scoring.arrays import Bools, Floats, Ints, as_floats
from scoring.errors import FrameError, LeakageError
from scoring.evaluation import auc

KEYS = ("account_id", "observed_on")
CONTEXT = (
    "segment",
    "attention_band",
    "arr_usd",
    "months_to_renewal",
    "next_due_on",
    "cycle_number",
    "tenure_months",
    "is_open",
)
SOME_ROWS = 50_000
"""Rows that leaks are looked for in, and that are hashed at once."""
OUTCOME = "label_is_lost"
LABELS = (OUTCOME, "label_known_on", "label_due_on")
NOTICE = "label_notice_on"
"""Day on which the customer gave notice; a frame may be without it, where nobody can know."""
FEATURE_NAME = re.compile(r"^f_(?P<group>[a-z]+)__(?P<name>[a-z0-9_]+)$")

# Written because a customer cancels, or only after: they predict the past.
DENY_PATTERNS = (
    r"cancel",
    r"churn",
    r"(^|_)(is_|was_)?lost(_|$)",
    r"loss_reason",
    r"outcome",
    r"(^|_)ended(_|$)",
    r"terminat",
    r"notice",
    r"win_?back",
    r"post_?mortem",
    r"save_(play|plan|offer)",
    r"renewed",
    r"final_invoice",
    r"label",
    r"refund_after",
    r"p_lost",
    r"risk_band",
)


@dataclass(frozen=True)
class FeatureSpec:
    """Which columns are features, and to which group each belongs.

    Attributes:
        groups: column name to feature group, in the order the models see them.
        deny: regular expressions; a feature whose name matches one is refused.
    """

    groups: Mapping[str, str]
    deny: Sequence[str] = field(default=DENY_PATTERNS)

    def __post_init__(self) -> None:
        """Refuse an empty or a forbidden feature list."""
        if not self.groups:
            raise FrameError("no feature column: expected columns named f_<group>__<name>")
        refused = [c for c in self.groups if any(re.search(p, c) for p in self.deny)]
        if refused:
            raise LeakageError(
                f"features on the deny-list: {', '.join(refused)}. They are written because of a "
                "cancellation (or after it); remove them from the feature model."
            )

    @property
    def columns(self) -> tuple[str, ...]:
        """Feature columns in model order."""
        return tuple(self.groups)

    @property
    def group_names(self) -> tuple[str, ...]:
        """Distinct groups, sorted."""
        return tuple(sorted(set(self.groups.values())))

    @classmethod
    def from_columns(
        cls, columns: Sequence[str], deny: Sequence[str] = DENY_PATTERNS
    ) -> FeatureSpec:
        """Every column named ``f_<group>__<name>``, sorted by name.

        Raises:
            FrameError: a column starts with ``f_`` but does not follow the pattern.
        """
        groups: dict[str, str] = {}
        for column in sorted(c for c in columns if c.startswith("f_")):
            match = FEATURE_NAME.match(column)
            if match is None:
                raise FrameError(f"feature column {column!r} is not named f_<group>__<name>")
            groups[column] = match.group("group")
        return cls(groups, deny)


@dataclass(frozen=True)
class Prepared:
    """A checked frame, sorted by (observed_on, account_id), as arrays beside its columns.

    Attributes:
        rows: keys, context and labels, index 0..n-1.
        x: features, shape (n, p), NaN where unknown.
        y: label, shape (n,), NaN where the outcome is not final.
        matured_on: shape (n,), day from which the label may be learnt from; NaT where none.
        spec: the features of ``x``, in column order.
        opinions: log odds of the bad outcome that people gave lately, shape (n,), NaN where nobody
            did; None where a head does not listen to them.
        opinion_columns: features that hold what people said of the account itself.
    """

    rows: pd.DataFrame
    x: Floats
    y: Floats
    matured_on: pd.Series
    spec: FeatureSpec
    opinions: Floats | None = None
    opinion_columns: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Rows."""
        return len(self.rows)

    def take(self, mask: Bools | Ints) -> Prepared:
        """The rows selected by a mask or by positions, in order."""
        if mask.dtype == np.bool_ and mask.all():
            return self
        at = np.flatnonzero(mask) if mask.dtype == np.bool_ else np.asarray(mask)
        return Prepared(
            self.rows.iloc[at].reset_index(drop=True),
            self.x[at],
            self.y[at],
            self.matured_on.iloc[at].reset_index(drop=True),
            self.spec,
            None if self.opinions is None else self.opinions[at],
            self.opinion_columns,
        )

    def without(self, columns: Sequence[str]) -> Prepared:
        """The same rows without some features; names that are none are ignored."""
        kept = [j for j, c in enumerate(self.spec.columns) if c not in columns]
        if len(kept) == len(self.spec.columns):
            return self
        groups = {self.spec.columns[j]: self.spec.groups[self.spec.columns[j]] for j in kept}
        spec = FeatureSpec(groups, self.spec.deny)
        return replace(self, x=self.x[:, kept], spec=spec)

    def matured_by(self, cutoff: dt.date) -> Bools:
        """Rows whose label was final, whatever it was to be, on ``cutoff``."""
        known = (self.matured_on <= pd.Timestamp(cutoff)).to_numpy(dtype=np.bool_)
        return np.asarray(known & ~np.isnan(self.y), dtype=np.bool_)

    def renewal_ids(self) -> pd.Series:
        """One text per (account, renewal): rows that share an outcome share it."""
        ids: pd.Series = self.rows["account_id"] + "|" + day_texts(self.rows["label_due_on"])
        return ids

    def renewals(self) -> pd.DataFrame:
        """Distinct labelled renewals: id, y, and the segment that the account was in last."""
        table = pd.DataFrame(
            {
                "id": self.renewal_ids(),
                "segment": self.rows["segment"],
                "y": self.y,
                "observed_on": self.rows["observed_on"],
            }
        )
        table = table[table["y"].notna()].sort_values(["observed_on", "id"], kind="stable")
        return table.drop_duplicates("id", keep="last")

    def losses(self) -> int:
        """Distinct lost renewals among the labelled rows (not rows: a term has twelve)."""
        return int(self.renewal_ids()[self.y == 1.0].nunique())


def prepare(
    frame: pd.DataFrame,
    spec: FeatureSpec | None = None,
    grace_days: int = 60,
    label: str = OUTCOME,
) -> Prepared:
    """Check a feature frame and order it.

    Args:
        frame: rows as `int_account_features` publishes them.
        spec: features to use; default: every ``f_`` column.
        grace_days: days after the due date in which a late renewal still counts as renewed.
        label: column of the label; beside the outcome any number that is final when it is.

    Raises:
        FrameError: a column is missing, a key repeats or is null, an outcome is not 0, 1 or null, a
            feature or a label is infinite.
        LeakageError: a feature is on the deny-list.
    """
    named = list(dict.fromkeys([*KEYS, *CONTEXT, *LABELS, label]))
    missing = [c for c in named if c not in frame.columns]
    if missing:
        raise FrameError(f"feature frame lacks columns: {', '.join(missing)}")
    frame = frame.reset_index(drop=True)
    spec = spec or FeatureSpec.from_columns(list(frame.columns))
    absent = [c for c in spec.columns if c not in frame.columns]
    if absent:
        raise FrameError(f"feature frame lacks features: {', '.join(absent)}")

    rows = frame.loc[:, named].copy()
    rows[NOTICE] = frame[NOTICE] if NOTICE in frame.columns else pd.NaT
    for column in ("observed_on", "next_due_on", "label_known_on", "label_due_on", NOTICE):
        rows[column] = as_days(rows[column])
    if rows[list(KEYS)].isna().any().any():
        raise FrameError("feature frame has rows without account_id or observed_on")
    rows["account_id"] = rows["account_id"].astype("str")
    for column in ("arr_usd", "months_to_renewal", "cycle_number", "tenure_months"):
        rows[column] = pd.to_numeric(rows[column], errors="coerce").astype("float64")
    rows["segment"] = rows["segment"].astype("object").fillna("unknown").astype("str")
    rows["is_open"] = rows["is_open"].astype("object").fillna(False).astype("bool")

    order = rows.sort_values(["observed_on", "account_id"], kind="stable").index
    rows = rows.loc[order].reset_index(drop=True)
    repeated = rows.duplicated(list(KEYS))
    if repeated.any():
        first = rows[repeated].iloc[0]
        raise FrameError(
            f"{int(repeated.sum())} repeated keys, first: account {first['account_id']} on "
            f"{first['observed_on']:%Y-%m-%d}; the feature model must hold one row a key"
        )
    # A column at a time: the frame may be most of the memory there is.
    x = np.empty((len(order), len(spec.columns)))
    for j, column in enumerate(spec.columns):
        x[:, j] = frame[column].astype("float64").to_numpy()[order]
    if np.isinf(x).any():
        bad = [c for j, c in enumerate(spec.columns) if np.isinf(x[:, j]).any()]
        raise FrameError(f"infinite values in {', '.join(bad)}: a division by zero upstream")
    y = as_floats(pd.to_numeric(rows[label], errors="coerce").astype("float64"))
    if label == OUTCOME and not np.isin(y[~np.isnan(y)], (0.0, 1.0)).all():
        raise FrameError("label_is_lost holds values other than 0, 1 and null")
    if np.isinf(y).any():
        raise FrameError(f"infinite values in {label}: a division by zero upstream")
    final_on = rows["label_due_on"] + pd.Timedelta(days=grace_days)
    matured_on = pd.concat([rows["label_known_on"], final_on], axis=1).max(axis=1, skipna=False)
    return Prepared(rows, x, y, matured_on.rename("matured_on"), spec)


@dataclass(frozen=True)
class Leak:
    """A feature that knows what it is to predict.

    Attributes:
        feature: column.
        auc: area under the curve of its value, or of its being known, in the better direction.
    """

    feature: str
    auc: float

    def as_record(self) -> dict[str, object]:
        """JSON-ready, for manifests."""
        return {"feature": self.feature, "auc": round(self.auc, 6)}


def leaking(
    prepared: Prepared,
    limit: float = 0.95,
    min_losses: int = 20,
    exempt: Sequence[str] = (),
) -> tuple[Leak, ...]:
    """Features that alone separate the outcomes too well to be knowledge of before.

    Both a feature's value and its being known are tried, on labelled rows. Look for a field that
    is written after the decision, or for a missing `known_at` filter.

    Args:
        prepared: rows to look at; unlabelled ones are ignored.
        limit: area under the curve (either direction) above which a feature leaks.
        min_losses: with fewer distinct lost renewals chance alone reaches the limit; no check.
        exempt: features that are known in advance by what they are.

    Returns:
        The leaks, in the order of the features.
    """
    labelled = prepared.take(~np.isnan(prepared.y))
    if labelled.losses() < min_losses:
        return ()
    # Every k-th row: what separates the outcomes separates those of some rows too.
    labelled = labelled.take(np.arange(0, len(labelled), -(-len(labelled) // SOME_ROWS)))
    renewal, _ = pd.factorize(labelled.renewal_ids(), sort=True)
    is_lost = labelled.y == 1.0
    leaks: list[Leak] = []
    for j, column in enumerate(prepared.spec.columns):
        if column in exempt:
            continue
        values = labelled.x[:, j]
        known = ~np.isnan(values)
        best = 0.5
        if 0 < known.sum() < len(known):
            best = max(best, _separation(known.astype(np.float64), labelled.y))
        # A field filled in for a handful separates them by chance.
        if len(np.unique(renewal[known & is_lost])) >= min_losses:
            best = max(best, _separation(values[known], labelled.y[known]))
        if best > limit:
            leaks.append(Leak(column, best))
    return tuple(leaks)


def changed_past(before: pd.DataFrame, after: pd.DataFrame, spec: FeatureSpec) -> pd.DataFrame:
    """Cells of ``before`` whose value differs in ``after``: the past must not move.

    Both are feature frames of the same lake, ``after`` with more events. Labels and context that
    depend on the later date are not compared, only features.

    Returns:
        One row a changed cell: account_id, observed_on, feature, before, after (row gone: NaN).
    """
    columns = list(spec.columns)
    left = before.set_index(list(KEYS))[columns].astype("float64").sort_index()
    right = after.set_index(list(KEYS))[columns].astype("float64").reindex(left.index)
    differs = (left.ne(right) & ~(left.isna() & right.isna())).to_numpy()
    at, feature = np.nonzero(differs)
    keys = left.index.to_frame(index=False).iloc[at].reset_index(drop=True)
    return keys.assign(
        feature=[columns[j] for j in feature],
        before=left.to_numpy()[at, feature],
        after=right.to_numpy()[at, feature],
    )


def data_hash(prepared: Prepared) -> str:
    """SHA-256 of keys, features and labels, 64 hexadecimal digits; the order of rows is fixed."""
    digest = hashlib.sha256()
    digest.update("\n".join(prepared.spec.columns).encode())
    # As a list: walking a column of texts takes as long as the trees.
    digest.update("\n".join(prepared.rows["account_id"].tolist()).encode())
    for column in ("observed_on", "label_due_on"):
        days = day_texts(prepared.rows[column])
        digest.update("\n".join(days.tolist()).encode())
    # One bit pattern for "unknown" and one for zero, whatever engine wrote the frame.
    # Some rows at a time: a copy of a large frame would be most of the memory there is.
    parts = [prepared.x, prepared.y]
    if prepared.opinions is not None:
        parts.append(prepared.opinions)
    for values in parts:
        for start in range(0, len(values), SOME_ROWS):
            some = values[start : start + SOME_ROWS]
            digest.update(np.where(np.isnan(some), np.nan, some + 0.0).tobytes())
    return digest.hexdigest()


def _separation(values: Floats, y: Floats) -> float:
    """Area under the curve, folded so that either direction counts."""
    area = auc(y, values)
    return 0.5 if np.isnan(area) else max(area, 1.0 - area)


def day_texts(days: pd.Series) -> pd.Series:
    """Days as YYYY-MM-DD, "" where missing; each distinct day is written once."""
    codes, distinct = pd.factorize(days)
    texts = pd.Series([*pd.DatetimeIndex(distinct).strftime("%Y-%m-%d"), ""], dtype="str")
    return texts.iloc[codes].set_axis(days.index)


def as_days(column: pd.Series) -> pd.Series:
    """Midnights of a column of dates, whatever the engine delivered them as.

    Raises:
        FrameError: something in it is no date.
    """
    try:
        days = pd.to_datetime(column, errors="raise")
    except (ValueError, TypeError) as error:
        raise FrameError(f"column {column.name} holds something that is no date") from error
    if getattr(days.dt, "tz", None) is not None:
        days = days.dt.tz_convert("UTC").dt.tz_localize(None)
    return days.astype("datetime64[us]").dt.normalize()
