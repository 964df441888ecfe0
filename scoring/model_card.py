"""The model card: what a score is, how good it proved and where it fails, from the registry alone.

Belongs here: the words and the layout. Must not: a figure of its own; every number on the card is
in the registry's manifest, metrics, calibrator or reference, so equal folders give equal cards.

    python -m scoring.model_card models > card.md

Mitchell et al., "Model cards for model reporting", FAT* 2019, is where the headings come from.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scoring import registry
from scoring.baselines import BASE_RATE, ONE_FEATURE, RENEWALS_MADE
from scoring.baselines import SEGMENT_RATE as BY_SEGMENT
from scoring.cold_start import BLEND, GUIDED, RIDGE, SEGMENT_RATE, TREES
from scoring.errors import RegistryError
from scoring.heads import HEADS
from scoring.multiple import HEAD as MULTIPLE
from scoring.multiple import QUESTION, SEGMENT_MEAN

Record = Mapping[str, Any]

RECIPES: Mapping[str, str] = {
    SEGMENT_RATE: "rate of the segment (no model)",
    RIDGE: "ridge logistic regression",
    TREES: "gradient-boosted trees",
    BLEND: "blend: mean of the logits of a ridge logistic regression and small boosted trees",
    GUIDED: "guided: learnt from what people said of many accounts, corrected by outcomes",
}
RIVALS: Mapping[str, str] = {
    BASE_RATE: "the loss rate of all",
    BY_SEGMENT: "the loss rate of the segment",
    RENEWALS_MADE: "how often they have renewed (sBG)",
    ONE_FEATURE: "the one best feature, in ten bins",
}
SIZES: Mapping[str, str] = {
    SEGMENT_MEAN: "mean of the segment (no model)",
    RIDGE: "ridge regression",
    TREES: RECIPES[TREES],
}
"""Candidates of the renewal multiple."""
UNBOUNDED_DAYS = 10_000
"""End of the last bucket of leads."""
_PICTURE = 44
"""Characters across the calibration picture."""


@dataclass(frozen=True)
class Version:
    """What the registry holds of one version, as it lies in its folder.

    Attributes:
        head: name of the head.
        manifest, metrics, reference: the files of these names.
        calibrator: calibrator.json; of the renewal multiple, which has none, means.json.
    """

    head: str
    manifest: Record
    metrics: Record
    calibrator: Record
    reference: Record

    @property
    def is_model(self) -> bool:
        """Whether accounts are scored, and not only served their segment's rate."""
        return bool(self.manifest["recipe"] != SEGMENT_RATE)


def of_registry(models_dir: Path, versions: Mapping[str, str] | None = None) -> str:
    """The card of the versions that serve.

    Args:
        models_dir: the registry.
        versions: version by head; default what was promoted last.

    Returns:
        Markdown. A head without a version is named as such.

    Raises:
        RegistryError: a file of a version is missing or unreadable.
    """
    if versions is None:
        serving = {head: registry.serving(models_dir, head) for head in (*HEADS, MULTIPLE)}
        versions = {head: version for head, version in serving.items() if version is not None}
    return card([read(models_dir / head / version, head) for head, version in versions.items()])


def read(folder: Path, head: str) -> Version:
    """What is told of a version; its fitted members are not needed.

    Raises:
        RegistryError: a file is missing or unreadable.
    """

    def record(name: str) -> Record:
        try:
            found: Record = json.loads((folder / name).read_text(encoding="utf-8"))
        except (OSError, json.JSONDecodeError) as error:
            raise RegistryError(
                f"{head}/{folder.name}: {name} cannot be read ({type(error).__name__}); restore it"
            ) from error
        return found

    line = "means.json" if head == MULTIPLE else "calibrator.json"
    names = ("manifest.json", "metrics.json", line, "reference.json")
    return Version(head, *(record(name) for name in names))


def card(versions: Sequence[Version]) -> str:
    """The card of some versions, one a head."""
    lines = [
        "# Model card: churn scores and renewal sizes",
        "",
        "Written by `python -m scoring.model_card` from the model registry after each training; "
        "every figure below is in the registry's `manifest.json` or `metrics.json`. "
        "Brackets are 95 % intervals that count accounts, not rows: the months of an account err "
        "together.",
        "",
        *_glance(versions),
        *_PURPOSE,
    ]
    for version in versions:
        lines += _multiple(version) if version.head == MULTIPLE else _head(version)
    lines += [*_READING, *_refusals(versions), *_WATCH, *_limits(versions)]
    return "\n".join(lines).rstrip() + "\n"


def _glance(versions: Sequence[Version]) -> list[str]:
    rows = []
    for one in versions:
        intervals = one.metrics.get("intervals", {})
        skill = one.metrics.get("skill", {}).get(BASE_RATE)
        rows.append(
            (
                f"[`{one.head}`](#{one.head})",
                f"`{one.manifest['model_version']}`",
                one.manifest["training_cutoff_on"],
                (SIZES if one.head == MULTIPLE else RECIPES)[one.manifest["recipe"]].split(":")[0],
                _interval(intervals.get("auc")),
                _interval(skill),
                _interval(intervals.get("calibration_slope")),
            )
        )
    head = ("head", "version", "outcomes up to", "recipe", "AUC", "skill over the rate", "slope")
    return [*_table(head, rows), ""]


_PURPOSE = (
    "## What it is for",
    "Each head answers one question about an account with a contract in force. Its probability is "
    "that of the bad outcome, so bands, percentiles and reasons read the same way for all.",
    "",
    *(f"- `{head.name}`: {head.question}." for head in HEADS.values()),
    f"- `{MULTIPLE}`: {QUESTION}. A size and no probability.",
    "",
    "For choosing whom to call, what to ask, and how much revenue is at stake over many accounts. "
    "Not for judging the people who look after an account, not for setting a price or a term, and "
    "not for deciding about any one customer without looking.",
    "",
)


def _head(one: Version) -> list[str]:
    lines = [f"## {one.head}", f"{_sentence(str(one.manifest['question']))}", "", *_data(one)]
    if one.is_model and one.metrics.get("calibrated"):
        lines += [*_candidates(one), *_quality(one), *_rivals(one), *_leads(one)]
        lines += [*_calibration(one)]
    elif one.is_model:
        lines += [*_candidates(one), "No forecast could be judged out of time yet.", ""]
    else:
        lines += [_why_no_model(one), ""]
    return [*lines, *_features(one)]


def _multiple(one: Version) -> list[str]:
    """The section of the renewal multiple, whose figures are of sizes."""
    m, p, metrics = one.manifest, one.manifest["parameters"], one.metrics
    data = [
        ("rows (account and month-end)", f"{m['rows']:,}"),
        ("accounts", f"{m['accounts']:,}"),
        ("renewals that were made", f"{m['renewals']:,}"),
        ("outcomes known up to", str(m["training_cutoff_on"])),
        ("features", f"{len(m['features'])}"),
        ("`data_sha256`", f"`{m['data_sha256']}`"),
    ]
    lines = [
        f"## {one.head}",
        _sentence(str(m["question"])),
        "",
        "### Data",
        *_table(("", ""), data),
        "",
        "Renewals that were lost teach nothing here; what is expected of an account is this times "
        f"the probability that it renews. Multiples above {p['highest']:g} teach as that.",
    ]
    if origins := metrics.get("origins"):
        lines.append(_origins_text(origins, p["step_months"]))
    lines += ["", "### Candidates"]
    against: Mapping[str, Record] = metrics.get("squared_error_against_segment_mean", {})
    found: Mapping[str, Record] = metrics.get("candidates", {})
    if found:
        head = ("candidate", "mean squared error", "less that of the mean", "absolute", "bias")
        rows = [
            (
                SIZES[name] + (" **(chosen)**" if name == m["recipe"] else ""),
                f"{record['mean_squared_error']:.5f}",
                _interval(against.get(name), digits=5),
                _figure(record["mean_absolute_error"]),
                _figure(record["bias"]),
            )
            for name, record in sorted(found.items())
        ]
        lines += [
            *_table(head, rows),
            "",
            f"{metrics['out_of_time_rows']:,} month-ends of {metrics['out_of_time_renewals']:,} "
            f"renewals, whose mean multiple was {_figure(metrics['mean_multiple'])}. A model "
            "serves only where its squared error is lower with the whole interval over accounts.",
        ]
    lines += [f"Chosen: {m['choice']}.", "", "### Interval", _held(one), "", "### Means"]
    means = one.calibrator
    by_segment = [(name, _figure(mean)) for name, mean in sorted(means["segments"].items())]
    lines += _table(("segment", "mean"), [("all", _figure(means["overall"])), *by_segment])
    lines += ["", "### What it looks at", *_groups(one), "", "Kept out:", ""]
    lines += [
        f"- `{leak['feature']}`: orders the multiples alone with a rank correlation of "
        f"{_figure(leak['rank_correlation'])}; look for a field written after the renewal."
        for leak in m["kept_out"]
    ] or [
        "- nothing by the leakage check: no feature orders the multiples alone with a rank "
        f"correlation above {p['leak_limit']:g}."
    ]
    return [*lines, ""]


def _held(one: Version) -> str:
    """How many sizes the interval held that it was to hold."""
    held: Record = one.metrics.get("interval", {})
    if one.calibrator["spread"] is None:
        return "None is given: too few renewals were walked to know it."
    level = _share(one.manifest["parameters"]["interval_level"])
    told = f"Each size comes with the interval of the single renewal, made to hold {level} of them."
    if "share" in held:
        told += (
            f" Made of what was known at each origin, it held {_share(held['share'])} of "
            f"{held['n']:,.0f} month-ends."
        )
    return told


def _origins_text(origins: Sequence[str], step_months: int) -> str:
    return (
        f"Tested by rolling origins ({', '.join(origins)}): at each, models learn what was known "
        f"then and forecast the month-ends of the {step_months} months after it. No renewal stands "
        "on both sides."
    )


def _data(one: Version) -> list[str]:
    m, p = one.manifest, one.manifest["parameters"]
    head = HEADS.get(one.head)
    lead = head.judged_lead_months if head else None
    is_monthly = head is not None and head.chances_a_year > 1
    rows = [
        ("rows (account and month-end)", f"{m['rows']:,}"),
        ("accounts", f"{m['accounts']:,}"),
        (
            "account-months with a final outcome"
            if is_monthly
            else "renewals with a final outcome",
            f"{m['renewals']:,}",
        ),
        ("of them lost", f"{m['losses']:,} ({_share(m['losses'] / max(m['renewals'], 1))})"),
        ("outcomes known up to", str(m["training_cutoff_on"])),
        ("features", f"{len(m['features'])}"),
        ("`data_sha256`", f"`{m['data_sha256']}`"),
    ]
    if lead is not None:
        taught = (
            "Every month-end before a renewal teaches what goes with a loss. Those within "
            f"{lead:g} months of the decision calibrate the forecast, and are measured below: by "
            "then an account shows what it shows when it decides. It decides when it gives "
            "notice, or when it is due; what follows a notice teaches nothing, since a leaver's "
            "silence is no sign of leaving. A notice is final once the days of grace have passed "
            "since, even where the term has not run out. The score asks every account as if it "
            "were due today."
        )
    elif is_monthly:
        taught = (
            "Every month-end teaches by whether the account was gone at the next one. Most of that "
            "is the calendar, which this head may read: few leave in a month in which nothing is "
            "due. Its AUC says little of who renews; `next_renewal` is asked about that."
        )
    else:
        taught = "Every month-end before a renewal teaches."
    split = (
        f"An outcome teaches from {p['grace_days']} days after its due date, when either could be "
        "final; until then the row belongs to nobody. "
    )
    if origins := one.metrics.get("origins"):
        split += _origins_text(origins, p["step_months"]) + (
            " Forecasts are calibrated by earlier origins alone, so the first origin is not judged."
        )
    return ["### Data", *_table(("", ""), rows), "", taught, split.rstrip(), ""]


def _candidates(one: Version) -> list[str]:
    found: Mapping[str, Record] = one.metrics.get("candidates", {})
    rules = one.manifest["parameters"]["cold_start"]
    rows = [
        (
            RECIPES[name].split(":")[0]
            + (" **(chosen)**" if name == one.metrics["recipe"] else ""),
            _figure(record.get("log_loss")),
            _figure(record.get("auc")),
            _figure(record.get("brier")),
            _figure(record.get("calibration_slope")),
        )
        for name, record in sorted(found.items())
    ]
    if len(rows) > 1:
        why = "The lowest log loss out of time serves; before calibration, all origins together."
    else:
        why = (
            f"Up to {rules['choose_losses']} losses none competes: too few to tell candidates "
            "apart."
        )
    calibrator = one.calibrator["platt"]
    line = (
        f"Calibration: {one.manifest['calibration']}; intercept "
        f"{_figure(calibrator['intercept'])}, slope {_figure(calibrator['slope'])}. No class "
        "weights, no resampling."
    )
    head = ("candidate", "log loss", "AUC", "Brier", "slope")
    return ["### Candidates", *(_table(head, rows) if rows else []), "", why, line, ""]


def _quality(one: Version) -> list[str]:
    c, intervals = one.metrics["calibrated"], one.metrics.get("intervals", {})
    rows = [
        ("month-ends judged", f"{c['n']:,.0f}"),
        ("loss rate among them", _share(c["base_rate"])),
        ("AUC (0.5 is chance)", _interval(intervals.get("auc")) or _figure(c.get("auc"))),
        ("Brier score (0 is perfect)", _interval(intervals.get("brier")) or _figure(c["brier"])),
        ("log loss, nats", _figure(c["log_loss"])),
        (
            "calibration slope (1 is right, below: too extreme)",
            _interval(intervals.get("calibration_slope")) or _figure(c.get("calibration_slope")),
        ),
        ("calibration error (ECE, ten bins)", _figure(c["ece"])),
        ("the same of perfect forecasts, by chance", _figure(one.metrics.get("ece_by_chance"))),
        ("losses in the riskiest tenth, over average", _figure(c.get("top_decile_lift"))),
    ]
    return [
        "### Out of time",
        "As it would have been published then.",
        "",
        *_table(("measure", ""), [row for row in rows if row[1]]),
        "",
    ]


def _rivals(one: Version) -> list[str]:
    skill: Mapping[str, Record] = one.metrics.get("skill", {})
    if not skill:
        return []
    rows = [
        (RIVALS[name], _figure(record["brier"]), _interval(record), _verdict(record))
        for name, record in ((name, skill[name]) for name in RIVALS if name in skill)
    ]
    chosen = ", ".join(sorted({f"`{name}`" for name in one.metrics["one_feature"].values()}))
    return [
        "### Against what needs no model",
        "Each rival knew what the model knew at the same origin, and forecast the same rows. Skill "
        "is 1 - Brier / Brier of the rival: above zero the model is better.",
        "",
        *_table(("rival", "its Brier", "skill", ""), rows),
        "",
        f"The one feature is chosen at each origin by the training rows: {chosen}.",
        "",
    ]


def _leads(one: Version) -> list[str]:
    rows = []
    for lead in one.metrics.get("leads", ()):
        intervals = lead.get("intervals", {})
        rows.append(
            (
                _days_of(lead),
                f"{lead['n']:,.0f}",
                f"{lead['losses']:,.0f}",
                _interval(intervals.get("auc")) or _figure(lead.get("auc")),
                _interval(intervals.get("brier")) or _figure(lead["brier"]),
                _figure(lead.get("brier_skill")),
                _interval(intervals.get("calibration_slope")),
                _figure(lead["ece"]),
            )
        )
    if len(rows) < 2:
        return []
    head = ("days to the renewal", "rows", "lost", "AUC", "Brier", "skill", "slope", "ECE")
    return [
        "### By days to the renewal",
        "Skill here is over the rate of the same rows, which nobody knew beforehand: the harder "
        "rival.",
        "",
        *_table(head, rows),
        "",
    ]


def _days_of(lead: Record) -> str:
    if lead["days_to"] >= UNBOUNDED_DAYS:
        return f"{lead['days_from']} and more"
    return f"{lead['days_from']} to {lead['days_to'] - 1}"


def _calibration(one: Version) -> list[str]:
    bins: Sequence[Record] = one.metrics.get("calibration_bins", ())
    if not bins:
        return []
    top = max(max(b["mean_p"], b["high"]) for b in bins)
    lines = [f"{'said':>7} {'came':>7} {'rows':>7}   0 %{_share(top):>{_PICTURE - 3}}"]
    lines += [
        f"{_share(b['mean_p']):>7} {_share(b['rate']):>7} {b['n']:>7,}   {_bar(b, top)}".rstrip()
        for b in bins
    ]
    return [
        "### Calibration",
        "Rows by forecast, ten bins of equal counts. `+` what was said, `o` what came of it (`*` "
        "both at once), `[` `]` the interval of what came.",
        "",
        "```text",
        *lines,
        "```",
        "",
    ]


def _bar(one: Record, top: float) -> str:
    """One bin as a line of characters, zero on the left and ``top`` on the right."""

    def place(value: float) -> int:
        return min(_PICTURE - 1, round(value / top * (_PICTURE - 1))) if top > 0.0 else 0

    low, high, said, came = (place(one[name]) for name in ("low", "high", "mean_p", "rate"))
    line = [" "] * _PICTURE
    line[low : high + 1] = "-" * (high + 1 - low)
    line[low], line[high] = "[", "]"
    line[came], line[said] = "o", "+"
    if said == came:
        line[said] = "*"
    return "".join(line)


def _features(one: Version) -> list[str]:
    importance: Sequence[Record] = one.metrics.get("importance", ())
    groups = _by_group(one)
    lines = ["### What it looks at"]
    if importance:
        lines += [
            "Mean size of each group's contribution to the log odds, over the accounts of the last "
            "month-end learnt from; one feature of it stands for the most.",
            "",
            *_table(
                ("group", "mean contribution", "share", "features", "known", "most by"),
                [
                    (
                        i["group"],
                        _figure(i["mean_contribution"]),
                        _share(i["share"]),
                        str(len(groups[i["group"]])),
                        _known(one, groups[i["group"]]),
                        f"`{i['feature']}`",
                    )
                    for i in importance
                ],
            ),
        ]
    else:
        lines += _groups(one)
    return [*lines, "", *_kept_out(one), ""]


def _by_group(one: Version) -> dict[str, list[str]]:
    """Features of each group."""
    groups: dict[str, list[str]] = {}
    for feature in one.manifest["features"]:
        groups.setdefault(feature.removeprefix("f_").split("__")[0], []).append(feature)
    return groups


def _known(one: Version, features: Iterable[str]) -> str:
    """Mean share of training rows that have a value of these."""
    missing: Record = one.reference["features"]
    rates = [1.0 - missing[f]["missing_rate"] for f in features if f in missing]
    return _share(sum(rates) / len(rates)) if rates else ""


def _groups(one: Version) -> list[str]:
    """Groups of features, where it is not told what each of them contributes."""
    rows = [(name, str(len(of)), _known(one, of)) for name, of in sorted(_by_group(one).items())]
    return _table(("group", "features", "known"), rows)


def _kept_out(one: Version) -> list[str]:
    """What the head may not see, by design or because it knew too much."""
    head = HEADS.get(one.head)
    lines = ["Kept out:", ""]
    found: Sequence[Record] = one.manifest["kept_out"]
    lines += [
        f"- `{leak['feature']}`: tells outcomes apart alone with an AUC of {_figure(leak['auc'])}; "
        "look for a field written after the decision."
        for leak in found
    ]
    limit = one.manifest["parameters"]["leak_limit"]
    if not found:
        lines.append(
            f"- nothing by the leakage check: no feature, nor its being missing, tells outcomes "
            f"apart alone with an AUC above {limit:g}."
        )
    lines += [
        f"- `{name}`: what people say stands beside this score, so it may not read it."
        for name in (head.excludes if head else ())
    ]
    lines += [
        f"- not kept out, though it tells much: `{name}`, which the contract says in advance."
        for name in (head.derived if head else ())
    ]
    lines.append(
        "- by name: whatever is written because a customer leaves (cancellation, notice, loss "
        "reason and the like); such a feature stops the training."
    )
    return lines


_READING = (
    "## How to read a score",
    "- **Probability**: of accounts that were given 20 %, about 20 % were lost. It says nothing of "
    "which ones.",
    "- **Interval**: of the expected rate of accounts like this one, from the calibration line and "
    "from refits on groups of accounts. Not of the single outcome, which is always yes or no.",
    "- **Reason**: a group of features whose value is *associated with* a higher (or lower) risk "
    "in the history learnt from, with the account's value, its peers' median and its share of the "
    'log odds. Never read it as "because": changing the value need not change the outcome. What an '
    "action changes is measured elsewhere (`renewals.program_results`), by comparison with a "
    "group drawn by lot.",
    "- **Contributions** add up to the log odds of the published probability, to within 1e-9.",
    "- **Band**: dated cut-offs (seed `risk_bands`), so that counts compare between months. "
    'Whether "high" means it is published each quarter, with Wilson intervals, in '
    "`renewals.model_performance` (`high_band_loss_rate` and its ends), beside what people had "
    "forecast for the same renewals.",
    "- Live scores (`is_backfill` false) are what was known and could be acted upon. Backfilled "
    "ones come from models that had not seen beyond their month, and are never counted with them.",
    "",
)


def _refusals(versions: Sequence[Version]) -> list[str]:
    rules = next((v.manifest["parameters"] for v in versions if v.head != MULTIPLE), None)
    if rules is None:
        return ["## When it refuses", "No version serves: no account is scored.", ""]
    cold = rules["cold_start"]
    of_size = [
        f"- `{MULTIPLE}`: under {v.manifest['parameters']['min_renewals']} renewals made, or where "
        "nothing beats it out of time, the mean of the segment serves (`serves`: `segment_mean`)."
        for v in versions
        if v.head == MULTIPLE
    ]
    return [
        "## When it refuses",
        f"- Under {cold['min_losses']} lost renewals with a final outcome no account is scored. "
        f"The rate of its segment stands in, held to the company's rate worth "
        f"{cold['segment_strength']:g} renewals, and that to a prior of "
        f"{_share(cold['prior_rate'])} worth {cold['prior_strength']:g}; the score says so "
        "(`serves`: `segment_rate`), with no reason beside it.",
        f"- Up to {cold['choose_losses']} losses only the blend serves, the most cautious "
        "candidate, or what people's judgements guide.",
        f"- Out of time a calibration slope below {rules['min_slope']:g} means that what was "
        "learnt does not hold afterwards: the segment's rate serves again.",
        *of_size,
        "- A day is never scored by a model that knew outcomes of its future; a frame that lacks a "
        "feature, repeats a key or holds an infinite value is refused whole.",
        "",
    ]


_WATCH = (
    "## How it is watched",
    "Every night, as checks on the scores in Dagster (they warn and do not stop the night): does "
    "any feature's distribution differ from the training's by more than sampling explains, has a "
    "missing rate jumped, do values lie outside the range learnt from, and did the losses that "
    "were forecast come (the last year's renewals with a final outcome). Models are trained anew "
    "each month. What to do when a check warns: `docs/operate-it.md`.",
    "",
)


def _limits(versions: Sequence[Version]) -> list[str]:
    far = []
    for one in versions:
        for lead in one.metrics.get("leads", ()):
            skill = lead.get("brier_skill")
            if skill is not None and skill <= 0.0:
                far.append(
                    f"- `{one.head}`, {_days_of(lead)} days before the renewal: no skill "
                    f"({_figure(skill)}). There the score is hardly better than a rate."
                )
    return [
        "## Limits",
        *far,
        "- It knows associations in one company's own history. A new product, price list or market "
        "is not in it until its renewals are decided.",
        "- Surprises stay: customers leave for reasons that no source records.",
        "- Accounts that were acted upon are among those learnt from. Where saving works, the "
        "account looks safer than it was.",
        "- Small segments are judged by few losses; look at the intervals before comparing them.",
        "- It holds features of accounts, nothing of people: no name, address, age or origin.",
    ]


def _why_no_model(one: Version) -> str:
    losses, needed = (
        one.manifest["losses"],
        one.manifest["parameters"]["cold_start"]["min_losses"],
    )
    why = (
        f"{losses} lost renewals, {needed} are needed"
        if losses < needed
        else f"{one.manifest['calibration']}, with {losses} lost renewals"
    )
    return f"**No model serves**: {why}. Accounts are shown the rate of their segment."


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    return lines + [f"| {' | '.join(row)} |" for row in rows]


def _interval(record: Record | None, digits: int = 3) -> str:
    """`0.696 [0.651, 0.744]`; empty where there is none."""
    if not record:
        return ""
    ends = [f"{record[name]:.{digits}f}" for name in ("estimate", "low", "high") if name in record]
    return ends[0] if len(ends) == 1 else f"{ends[0]} [{', '.join(ends[1:])}]"


def _verdict(record: Record) -> str:
    if "low" not in record:
        return ""
    if record["low"] > 0.0:
        return "beaten"
    return "better than the model" if record["high"] < 0.0 else "not told apart"


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _share(value: float) -> str:
    return f"{100.0 * value:.1f} %"


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the card of a registry; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m scoring.model_card", description=__doc__)
    parser.add_argument("models", type=Path, help="the registry, such as models/")
    asked = parser.parse_args(arguments)
    try:
        sys.stdout.write(of_registry(asked.models))
    except RegistryError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
