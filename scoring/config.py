"""Every number that decides how a model is fitted, in one frozen value.

Belongs here: parameters with their reasons. Must not: code that uses them.
A model's version is derived from this value and from the data: change a number, get a new version.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field


@dataclass(frozen=True)
class TreeParams:
    """LightGBM parameters; the rest keep their defaults, and there are no class weights."""

    rounds: int
    leaves: int
    depth: int
    learning_rate: float
    l2: float
    min_child: int
    min_child_share: float = 0.0

    def min_rows(self, n: int) -> int:
        """Rows a leaf needs in a training set of ``n``."""
        return max(self.min_child, int(n * self.min_child_share))


# Small trees beat the defaults at the sizes of a customer base, and explain twelve times faster.
TREES = TreeParams(rounds=300, leaves=8, depth=3, learning_rate=0.03, l2=5.0, min_child=30)
# Beside the ridge in the blend, where losses are few.
TINY_TREES = TreeParams(
    rounds=150,
    leaves=6,
    depth=3,
    learning_rate=0.03,
    l2=10.0,
    min_child=10,
    min_child_share=0.05,
)


@dataclass(frozen=True)
class GuideParams:
    """How people's judgements guide a model, see `scoring.guided`.

    Attributes:
        min_judged: judged rows, and
        min_accounts: accounts among them, from which on people are listened to.
        some_judged: of more judged rows than that some are learnt from, of whole accounts.
        trees: of the guide; there are as many judgements as rows, so they may be bolder.
        line_strength: penalty of the guide's line, see `ridge.fit_line`.
        rest_trees: what outcomes add: single splits, since nothing of the kind can be told apart
            by some hundred losses.
        rest_c: the same of the line; a standardised feature adds some hundredths of log odds.
    """

    min_judged: int = 500
    min_accounts: int = 50
    some_judged: int = 200_000
    trees: TreeParams = TreeParams(
        rounds=100, leaves=8, depth=3, learning_rate=0.1, l2=5.0, min_child=50
    )
    line_strength: float = 0.02
    rest_trees: TreeParams = TreeParams(
        rounds=200,
        leaves=2,
        depth=1,
        learning_rate=0.03,
        l2=10.0,
        min_child=10,
        min_child_share=0.05,
    )
    rest_c: float = 0.0001


@dataclass(frozen=True)
class ColdStart:
    """How many matured losses a model needs, and what stands in for it below that.

    Attributes:
        min_losses: below this no account is scored; its segment's rate is served.
        choose_losses: above this the three candidates compete by out-of-time log loss.
        prior_rate: loss rate assumed for a company without any history.
        prior_strength: renewals that the company-wide prior counts as.
        segment_strength: renewals that the company-wide rate counts as inside a segment.
    """

    min_losses: int = 10
    choose_losses: int = 150
    prior_rate: float = 0.12
    prior_strength: float = 10.0
    segment_strength: float = 20.0


@dataclass(frozen=True)
class TrainConfig:
    """Everything beside the data that a model depends on.

    Attributes:
        seed: of every draw.
        grace_days: days after due in which a late renewal still counts as renewed.
        ridge_c: inverse strength of the ridge.
        guide: how judgements guide heads that listen to them; None: none does.
        origins: rolling origins at most.
        step_months: months between origins.
        fold_losses: distinct losses that a fold's training part needs.
        fold_rows: rows that a fold, or a replicate of a large frame, learns from at most, in whole
            accounts; more would not choose otherwise and cost a pass each.
        replicates: groups of accounts left out in turn for the interval; 0: none.
        replicate_rows: above this many rows each replicate learns one group instead of leaving
            it out, which costs one more pass over the data in all instead of ``replicates``.
        interval_level: of the probability's interval.
        slope_spread: how far from one calibration slopes lie, as expected before any outcome; None
            where nothing is expected.
        intercept_spread: the same of intercepts around nought, where losses are too few for both.
        min_slope: an out-of-time calibration slope below this means no skill; no account is scored.
        leak_limit: area under the curve above which a single feature is refused.
        threads: LightGBM threads for frames of ordinary size; one, since waiting threads cost
            more than they bring. Its trees are the same bytes with any number.
    """

    seed: int = 7
    grace_days: int = 60
    ridge_c: float = 0.05
    trees: TreeParams = field(default=TREES)
    tiny_trees: TreeParams = field(default=TINY_TREES)
    cold_start: ColdStart = field(default_factory=ColdStart)
    guide: GuideParams | None = field(default_factory=GuideParams)
    origins: int = 4
    step_months: int = 6
    fold_losses: int = 5
    fold_rows: int = 50_000
    replicates: int = 5
    replicate_rows: int = 20_000
    interval_level: float = 0.95
    slope_spread: float | None = 0.25
    intercept_spread: float | None = 0.25
    min_slope: float = 0.05
    leak_limit: float = 0.95
    threads: int = 1

    def as_record(self) -> dict[str, object]:
        """JSON-ready; the manifest holds it and the version hashes it."""
        return asdict(self)


# A multiple has far less to be learnt from than an outcome: most renewals go on at what was due.
MULTIPLE_TREES = TreeParams(
    rounds=100,
    leaves=6,
    depth=3,
    learning_rate=0.05,
    l2=10.0,
    min_child=20,
    min_child_share=0.02,
)


@dataclass(frozen=True)
class MultipleConfig:
    """Everything beside the data that a model of the renewal multiple depends on.

    Attributes:
        seed: of every draw.
        grace_days: days after due in which a late renewal still counts as renewed.
        highest: multiples above it teach as it; one account that grew tenfold must not own a mean.
        ridge_strength: of the penalty, see `ridge.fit_line`.
        origins: rolling origins at most.
        step_months: months between origins.
        min_renewals: with fewer matured renewals the segment's mean serves.
        fold_renewals: distinct renewals that a fold's training part needs.
        prior_strength: renewals at exactly what was due that the company-wide mean starts from.
        segment_strength: renewals that the company-wide mean counts as inside a segment.
        min_residuals: distinct renewals that an interval is read from at least.
        interval_level: share of renewals that the interval is to hold.
        leak_limit: rank correlation with the label above which a feature is kept out.
        threads: LightGBM threads; one, so that sums are added in one order.
    """

    seed: int = 7
    grace_days: int = 60
    highest: float = 3.0
    ridge_strength: float = 0.1
    trees: TreeParams = field(default=MULTIPLE_TREES)
    origins: int = 4
    step_months: int = 6
    min_renewals: int = 50
    fold_renewals: int = 30
    prior_strength: float = 10.0
    segment_strength: float = 20.0
    min_residuals: int = 40
    interval_level: float = 0.9
    leak_limit: float = 0.95
    threads: int = 1

    def as_record(self) -> dict[str, object]:
        """JSON-ready; the manifest holds it and the version hashes it."""
        return asdict(self)
