"""The model registry: a folder a version, and an append-only table of promotions.

Belongs here: writing, reading and promoting models. Must not: pickles, clocks of its own.

    models/<head>/<model_version>/
        model.json        recipe and members          features.json    columns and groups
        ridge.json        native text of the ridge    calibrator.json  line, segment rates
        trees.txt         LightGBM's text             reference.json   training distributions
        replicates/       the refits of the interval  metrics.json, manifest.json
    models/promotions.jsonl

A model of the renewal multiple lies there like the others, with `means.json` (segment means and the
interval's ends) in place of a calibrator.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from scoring import guided
from scoring.calibration import Platt
from scoring.cold_start import SegmentRates
from scoring.config import ColdStart, GuideParams, MultipleConfig, TrainConfig, TreeParams
from scoring.drift import Reference
from scoring.errors import RegistryError
from scoring.frame import FeatureSpec
from scoring.guided import GuidedModel
from scoring.members import Member
from scoring.multiple import HEAD as MULTIPLE
from scoring.multiple import MultipleModel, SegmentMeans
from scoring.ridge import RidgeModel
from scoring.training import Comparison, Model
from scoring.trees import TreeModel

READERS: Mapping[str, Callable[[str], Member]] = {
    **guided.READERS,
    GuidedModel.kind: GuidedModel.from_text,
}
SUFFIX = {RidgeModel.kind: "json", TreeModel.kind: "txt", GuidedModel.kind: "json"}
PROMOTIONS = "promotions.jsonl"
WITHDRAWN = "withdrawn"
REFUSED = frozenset({"not_better", "not_compared"})
"""Decisions by which a challenger does not serve, not even the month that it was trained for."""
Loaded = TypeVar("Loaded")


@dataclass(frozen=True)
class Promotion:
    """One decision about which version of a head serves.

    Attributes:
        head: name of the head.
        model_version: the version decided upon.
        is_promoted: whether it serves from now on.
        reason: 'first', 'refresh' (same procedure, newer data), 'better', 'not_better',
            'not_compared' (a challenger without comparison), 'succeeds' (the champion needs
            features that are no more), 'older' (trained for a past month), 'withdrawn' (somebody
            took it back).
        decided_at: aware instant, given by the caller.
        replaced: version that served before; None for the first.
        comparison: paired log-loss difference and its interval, where one was made.
    """

    head: str
    model_version: str
    is_promoted: bool
    reason: str
    decided_at: str
    replaced: str | None = None
    comparison: Mapping[str, object] | None = None


def save(models_dir: Path, model: Model | MultipleModel) -> Path:
    """Write a version; writing the same version again changes nothing.

    The folder appears complete or not at all.

    Raises:
        RegistryError: the version exists with other content.
    """
    files = _multiple_files(model) if isinstance(model, MultipleModel) else _files(model)
    folder = models_dir / model.head / model.version
    if folder.exists():
        _assert_same(folder, files)
        return folder
    aside = folder.with_name(f".{model.version}.writing")
    if aside.exists():
        shutil.rmtree(aside)
    for name, text in files.items():
        path = aside / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
    aside.replace(folder)
    return folder


def load(models_dir: Path, head: str, version: str) -> Model:
    """Read a version back; it scores as the one that was saved, to the last bit.

    Raises:
        RegistryError: it is not there, or a file is missing or unreadable.
    """
    return _whole(models_dir, head, version, _read)


def load_multiple(models_dir: Path, version: str) -> MultipleModel:
    """Read a version of the renewal multiple back, as `load` does for a head.

    Raises:
        RegistryError: it is not there, or a file is missing or unreadable.
    """
    return _whole(models_dir, MULTIPLE, version, _read_multiple)


def _whole(
    models_dir: Path, head: str, version: str, read: Callable[[Path, str, str], Loaded]
) -> Loaded:
    """What a complete folder holds."""
    folder = models_dir / head / version
    if not folder.is_dir():
        raise RegistryError(f"no model {head}/{version} in the registry {models_dir}")
    try:
        return read(folder, head, version)
    except (OSError, KeyError, TypeError, json.JSONDecodeError) as error:
        raise RegistryError(
            f"model {head}/{version} is incomplete or damaged ({type(error).__name__}); "
            "restore the folder or promote another version"
        ) from error


def versions(models_dir: Path, head: str) -> list[str]:
    """Stored versions of a head, by training cutoff, then name."""
    folder = models_dir / head
    if not folder.is_dir():
        return []
    found = []
    for manifest in sorted(folder.glob("[!.]*/manifest.json")):
        record = json.loads(manifest.read_text(encoding="utf-8"))
        found.append((str(record["training_cutoff_on"]), manifest.parent.name))
    return [name for _, name in sorted(found)]


def version_at(
    models_dir: Path, head: str, cutoff: dt.date, features: Sequence[str] | None = None
) -> str | None:
    """The version trained on knowledge up to ``cutoff``; the last promoted one of several.

    A refused challenger serves no month. Where all others of that month were withdrawn, the one
    that serves instead: trained on less, and not withdrawn.

    Args:
        models_dir: the registry.
        head: name of the head.
        cutoff: training cutoff asked for.
        features: columns at hand; a version that needs others does not count.

    Returns:
        The version, or None where that month's model has yet to be trained.
    """
    by_cutoff: dict[str, list[str]] = {}
    last = {d.model_version: d.reason for d in promotions(models_dir, head)}
    for version in versions(models_dir, head):
        if last.get(version) in REFUSED:
            continue
        record = _manifest(models_dir, head, version)
        if features is None or set(record["features"]) <= set(features):
            by_cutoff.setdefault(str(record["training_cutoff_on"]), []).append(version)
    if cutoff.isoformat() not in by_cutoff:
        return None
    gone = withdrawn(models_dir, head)
    promoted = [d.model_version for d in promotions(models_dir, head) if d.is_promoted]
    for month in sorted((m for m in by_cutoff if m <= cutoff.isoformat()), reverse=True):
        found = [v for v in by_cutoff[month] if v not in gone]
        if found:
            serving_then = [v for v in promoted if v in found]
            return serving_then[-1] if serving_then else found[-1]
    return None


def versions_at(models_dir: Path, heads: Iterable[str], cutoff: dt.date) -> dict[str, str]:
    """`version_at` of several heads; those without a model of that month are left out."""
    found = {head: version_at(models_dir, head, cutoff) for head in heads}
    return {head: version for head, version in found.items() if version is not None}


def promotions(models_dir: Path, head: str | None = None) -> list[Promotion]:
    """All decisions, oldest first; a half-written last line (a crash) is not a decision."""
    path = models_dir / PROMOTIONS
    if not path.exists():
        return []
    decisions = []
    for line in path.read_text(encoding="utf-8").split("\n")[:-1]:
        decision = Promotion(**json.loads(line)) if line.strip() else None
        if decision is not None and head in (None, decision.head):
            decisions.append(decision)
    return decisions


def serving(models_dir: Path, head: str) -> str | None:
    """The version that serves: the last one promoted and not withdrawn; None before the first."""
    gone = withdrawn(models_dir, head)
    promoted = [d.model_version for d in promotions(models_dir, head) if d.is_promoted]
    left = [version for version in promoted if version not in gone]
    return left[-1] if left else None


def withdrawn(models_dir: Path, head: str) -> set[str]:
    """Versions that somebody took back; what they have scored stays scored."""
    return {d.model_version for d in promotions(models_dir, head) if d.reason == WITHDRAWN}


def withdraw(models_dir: Path, head: str, version: str, decided_at: dt.datetime) -> Promotion:
    """Take a version back for good: the one promoted before it serves, until the next training.

    Args:
        models_dir: the registry.
        head: name of the head.
        version: to take back; doing so twice changes nothing.
        decided_at: aware instant.

    Raises:
        RegistryError: there is no such version, or no other that could serve in its place.
    """
    if version not in versions(models_dir, head):
        known = ", ".join(versions(models_dir, head)) or "none"
        raise RegistryError(f"no model {head}/{version} in {models_dir}; there are: {known}")
    before = [d for d in promotions(models_dir, head) if d.model_version == version]
    if before and before[-1].reason == WITHDRAWN:
        return before[-1]
    cutoff = _manifest(models_dir, head, version)["training_cutoff_on"]
    gone = withdrawn(models_dir, head) | {version}
    others = [
        other
        for other in versions(models_dir, head)
        if other not in gone and _manifest(models_dir, head, other)["training_cutoff_on"] <= cutoff
    ]
    if not others:
        raise RegistryError(
            f"{head}/{version} cannot be withdrawn: no other version is known that learnt no later "
            "outcomes. Mend what it learnt from and let the next month's training replace it."
        )
    decision = Promotion(
        head, version, False, WITHDRAWN, decided_at.astimezone(dt.UTC).isoformat(), version
    )
    _append_line(models_dir / PROMOTIONS, json.dumps(asdict(decision), sort_keys=True))
    return decision


def consider(
    models_dir: Path,
    model: Model | MultipleModel,
    decided_at: dt.datetime,
    comparison: Comparison | None = None,
    features: Sequence[str] | None = None,
) -> Promotion:
    """Decide whether a saved model serves from now on, and append the decision.

    The first model serves. One with the champion's parameters, features and head is a refresh and
    serves (it is the same procedure, knowing more). Any other is a challenger: it serves only if
    its paired, account-clustered log-loss difference lies below zero, interval included, or if the
    champion needs features that are no more. A model with an earlier cutoff than the champion's was
    trained for a past month and serves that month alone.

    Args:
        models_dir: the registry.
        model: saved before.
        decided_at: aware instant.
        comparison: of the champion's and the challenger's procedures; needed for a challenger.
        features: columns at hand; default all that the champion needs.

    Raises:
        RegistryError: the model is not saved.
    """
    if not (models_dir / model.head / model.version).is_dir():
        raise RegistryError(f"save model {model.head}/{model.version} before deciding about it")
    champion = serving(models_dir, model.head)
    decided = [d for d in promotions(models_dir, model.head) if d.model_version == model.version]
    is_settled = champion == model.version or (bool(decided) and decided[-1].reason == WITHDRAWN)
    if decided and (is_settled or (comparison is None and decided[-1].is_promoted)):
        return decided[-1]
    reason = _standing(models_dir, model, champion, features)
    if reason == "challenger" and comparison is None:
        reason = "not_compared"
    elif reason == "challenger" and comparison is not None:
        reason = "better" if comparison.is_better else "not_better"
    decision = Promotion(
        model.head,
        model.version,
        reason in {"first", "refresh", "succeeds", "better"},
        reason,
        decided_at.astimezone(dt.UTC).isoformat(),
        champion,
        None
        if comparison is None
        else {
            **asdict(comparison.difference),
            "rows": comparison.rows,
            "accounts": comparison.accounts,
        },
    )
    if decided and (decided[-1].reason, decided[-1].comparison) == (
        decision.reason,
        decision.comparison,
    ):
        return decided[-1]
    _append_line(models_dir / PROMOTIONS, json.dumps(asdict(decision), sort_keys=True))
    return decision


def rival(
    models_dir: Path, model: Model | MultipleModel, features: Sequence[str] | None = None
) -> str | None:
    """The champion that a new model has to be compared with; None where it need not be.

    Args:
        models_dir: the registry.
        model: saved before.
        features: columns at hand; default all that the champion needs.
    """
    champion = serving(models_dir, model.head)
    standing = _standing(models_dir, model, champion, features)
    return champion if standing == "challenger" else None


def offered(model: Model | MultipleModel) -> FeatureSpec:
    """The features that a model's training was given, whether or not it kept them."""
    return FeatureSpec.from_columns(_offered(model.manifest), model.spec.deny)


def _standing(
    models_dir: Path,
    model: Model | MultipleModel,
    champion: str | None,
    features: Sequence[str] | None,
) -> str:
    """What a new model is to the champion: a reason of `Promotion`, or 'challenger'."""
    if champion is None:
        return "first"
    was = _manifest(models_dir, model.head, champion)
    if was["training_cutoff_on"] > model.cutoff.isoformat():
        return "older"
    if _is_same_procedure(was, model):
        return "refresh"
    if features is not None and not set(_offered(was)) <= set(features):
        return "succeeds"
    return "challenger"


def _files(model: Model) -> dict[str, str]:
    """Every file of a version by its relative name."""
    texts: dict[str, str] = {}
    members = []
    for member in model.members:
        name = f"{member.kind}.{SUFFIX[member.kind]}"
        texts[name] = member.to_text()
        members.append({"kind": member.kind, "file": name})
    replicates = []
    for k, group in enumerate(model.replicates):
        entry = []
        for member in group:
            name = f"replicates/{k}.{member.kind}.{SUFFIX[member.kind]}"
            texts[name] = member.to_text()
            entry.append({"kind": member.kind, "file": name})
        replicates.append(entry)
    texts["model.json"] = _json(
        {
            "recipe": model.recipe,
            "members": members,
            "replicates": replicates,
            "replicate_scale": model.replicate_scale,
        }
    )
    texts["features.json"] = _json(
        {"groups": dict(model.spec.groups), "deny": list(model.spec.deny)}
    )
    texts["calibrator.json"] = _json(
        {
            "platt": asdict(model.calibrator),
            "segment_rates": {
                "overall": list(model.rates.overall),
                "segments": {k: list(v) for k, v in model.rates.segments.items()},
            },
        }
    )
    texts["reference.json"] = model.reference.to_text() + "\n"
    texts["metrics.json"] = _json(model.metrics)
    texts["manifest.json"] = _json(model.manifest)
    return texts


def _read(folder: Path, head: str, version: str) -> Model:
    """The model of a complete folder."""

    def text(name: str) -> str:
        return (folder / name).read_text(encoding="utf-8")

    def member(entry: Mapping[str, str]) -> Member:
        return READERS[entry["kind"]](text(entry["file"]))

    model = json.loads(text("model.json"))
    features = json.loads(text("features.json"))
    calibrator = json.loads(text("calibrator.json"))
    manifest = json.loads(text("manifest.json"))
    platt = calibrator["platt"]
    (aa, ab), (ba, bb) = platt["covariance"]
    rates = calibrator["segment_rates"]
    return Model(
        head=head,
        version=version,
        recipe=model["recipe"],
        spec=FeatureSpec(features["groups"], tuple(features["deny"])),
        cutoff=dt.date.fromisoformat(manifest["training_cutoff_on"]),
        members=tuple(member(m) for m in model["members"]),
        calibrator=Platt(
            platt["intercept"], platt["slope"], ((aa, ab), (ba, bb)), platt["is_fitted"]
        ),
        replicates=tuple(tuple(member(m) for m in group) for group in model["replicates"]),
        replicate_scale=model["replicate_scale"],
        rates=SegmentRates(
            (rates["overall"][0], rates["overall"][1]),
            {k: (v[0], v[1]) for k, v in rates["segments"].items()},
        ),
        reference=Reference.from_text(text("reference.json")),
        metrics=json.loads(text("metrics.json")),
        manifest=manifest,
        config=config_of(manifest["parameters"]),
    )


def _multiple_files(model: MultipleModel) -> dict[str, str]:
    """Every file of a version of the renewal multiple by its relative name."""
    texts: dict[str, str] = {}
    member = None
    if model.member is not None:
        name = f"{model.member.kind}.{SUFFIX[model.member.kind]}"
        texts[name] = model.member.to_text()
        member = {"kind": model.member.kind, "file": name}
    texts["model.json"] = _json({"recipe": model.recipe, "member": member})
    texts["features.json"] = _json(
        {"groups": dict(model.spec.groups), "deny": list(model.spec.deny)}
    )
    texts["means.json"] = _json({**asdict(model.means), "spread": model.spread})
    texts["reference.json"] = model.reference.to_text() + "\n"
    texts["metrics.json"] = _json(model.metrics)
    texts["manifest.json"] = _json(model.manifest)
    return texts


def _read_multiple(folder: Path, head: str, version: str) -> MultipleModel:
    """The renewal multiple of a complete folder."""

    def text(name: str) -> str:
        return (folder / name).read_text(encoding="utf-8")

    model, means = json.loads(text("model.json")), json.loads(text("means.json"))
    features, manifest = json.loads(text("features.json")), json.loads(text("manifest.json"))
    entry, parameters = model["member"], dict(manifest["parameters"])
    trees = TreeParams(**parameters.pop("trees"))
    return MultipleModel(
        head=head,
        version=version,
        recipe=model["recipe"],
        spec=FeatureSpec(features["groups"], tuple(features["deny"])),
        cutoff=dt.date.fromisoformat(manifest["training_cutoff_on"]),
        member=READERS[entry["kind"]](text(entry["file"])) if entry else None,
        means=SegmentMeans(means["overall"], means["segments"]),
        spread=(means["spread"][0], means["spread"][1]) if means["spread"] else None,
        reference=Reference.from_text(text("reference.json")),
        metrics=json.loads(text("metrics.json")),
        manifest=manifest,
        config=MultipleConfig(trees=trees, **parameters),
    )


def config_of(record: Mapping[str, object]) -> TrainConfig:
    """The configuration that `TrainConfig.as_record` described."""
    values = dict(record)
    trees, tiny, cold = values.pop("trees"), values.pop("tiny_trees"), values.pop("cold_start")
    if not (isinstance(trees, Mapping) and isinstance(tiny, Mapping) and isinstance(cold, Mapping)):
        raise RegistryError("the manifest's parameters lack trees, tiny_trees or cold_start")
    return TrainConfig(
        trees=TreeParams(**trees),
        tiny_trees=TreeParams(**tiny),
        cold_start=ColdStart(**cold),
        guide=_guide_of(values.pop("guide", None)),
        **values,  # type: ignore[arg-type]  # written by as_record from the same dataclass
    )


def _guide_of(record: object) -> GuideParams | None:
    """The part about judgements; manifests from before there was one hold none."""
    if not isinstance(record, Mapping):
        return None
    sizes = {k: TreeParams(**record[k]) for k in ("trees", "rest_trees")}
    return GuideParams(**{**record, **sizes})


def _is_same_procedure(was: Mapping[str, Any], model: Model | MultipleModel) -> bool:
    """Whether only the data differ from those of another model's manifest."""
    now = json.loads(_json(model.manifest))
    # What leaks comes and goes with the data; the procedure was to look and to leave it out.
    return (was.get("head"), was.get("parameters"), _offered(was)) == (
        now.get("head"),
        now.get("parameters"),
        _offered(now),
    )


def _offered(manifest: Mapping[str, Any]) -> list[str]:
    """Features that training was given, whether or not it kept them."""
    leaks = [str(leak["feature"]) for leak in manifest.get("kept_out", [])]
    return sorted([*manifest["features"], *leaks])


def _manifest(models_dir: Path, head: str, version: str) -> Mapping[str, Any]:
    """What a stored version was made of."""
    path = models_dir / head / version / "manifest.json"
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError) as error:
        raise RegistryError(
            f"the manifest of {head}/{version} cannot be read ({type(error).__name__}); restore it"
        ) from error
    return record


def _assert_same(folder: Path, files: Mapping[str, str]) -> None:
    """A version is its content: the same name with other bytes is a fault, never an update."""
    for name, expected in files.items():
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != expected:
            raise RegistryError(
                f"model version {folder.name} exists with another {name}; the folder was edited, "
                "or equal inputs did not give equal bytes"
            )


def _append_line(path: Path, line: str) -> None:
    """Append one line durably; a torn line before it is closed first, so it stays no decision."""
    path.parent.mkdir(parents=True, exist_ok=True)
    torn = path.exists() and path.stat().st_size > 0 and not path.read_bytes().endswith(b"\n")
    if torn:
        whole = path.read_bytes()
        aside = path.with_suffix(".writing")
        aside.write_bytes(whole[: whole.rfind(b"\n") + 1])
        aside.replace(path)
    with path.open("a", encoding="utf-8", newline="\n") as stream:
        stream.write(line + "\n")
        stream.flush()
        os.fsync(stream.fileno())


def _json(record: object) -> str:
    """Sorted, indented JSON with a final newline."""
    return json.dumps(record, indent=1, sort_keys=True, default=str) + "\n"
