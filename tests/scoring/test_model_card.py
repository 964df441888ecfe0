"""The card says what the registry says, and nothing else.

`card/` holds what the registry of the page in docs/ told. After a change of the words:
`python -m tests.scoring.test_model_card` writes the page anew; with a registry as its argument it
takes that one's texts first.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import scoring
from scoring import model_card, monthly, multiple, registry
from scoring.config import TreeParams
from scoring.errors import RegistryError
from tests.scoring.worlds import AS_OF, SCORED_AT, with_losses, with_multiples, world

TOLD = Path(__file__).with_name("card")
PAGE = Path(__file__).parents[2] / "docs" / "model-card.md"
TEXTS = ("manifest.json", "metrics.json", "calibrator.json", "reference.json")
FEW_TREES = TreeParams(40, 8, 3, 0.1, 5.0, 30)
QUICK = scoring.TrainConfig(replicates=0, origins=3, trees=FEW_TREES, tiny_trees=FEW_TREES)
NUMBER = re.compile(r"(?<![\w.])\d+(?:,\d{3})*(?:\.\d+)?(?!\w)")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    serve(folder, scoring.train(world(accounts=250, base=-1.5), "next_renewal", AS_OF, QUICK))
    return folder


def serve(folder: Path, model: scoring.Model) -> None:
    registry.save(folder, model)
    registry.consider(folder, model, SCORED_AT)


def told(models: Path, name: str = "metrics.json") -> dict[str, Any]:
    (path,) = models.glob(f"next_renewal/*/{name}")
    record: dict[str, Any] = json.loads(path.read_text())
    return record


def tables(card: str) -> dict[str, list[list[str]]]:
    """Rows of each section's table, without their head."""
    found: dict[str, list[list[str]]] = {}
    section = ""
    for line in card.splitlines():
        if line.startswith("#"):
            section = line.lstrip("# ")
        elif line.startswith("| "):
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            found.setdefault(section, []).append(cells)
    return {name: rows[1:] for name, rows in found.items()}


def shown(interval: dict[str, float]) -> str:
    return f"{interval['estimate']:.3f} [{interval['low']:.3f}, {interval['high']:.3f}]"


def test_every_figure_is_the_one_in_the_metrics(models: Path) -> None:
    metrics, manifest = told(models), told(models, "manifest.json")
    found = tables(model_card.of_registry(models))

    data = dict(found["Data"])
    assert data["accounts"] == f"{manifest['accounts']:,}"
    assert data["`data_sha256`"] == f"`{manifest['data_sha256']}`"
    out_of_time = dict(found["Out of time"])
    assert out_of_time["AUC (0.5 is chance)"] == shown(metrics["intervals"]["auc"])
    assert out_of_time["Brier score (0 is perfect)"] == shown(metrics["intervals"]["brier"])
    assert out_of_time["calibration error (ECE, ten bins)"] == f"{metrics['calibrated']['ece']:.3f}"
    rivals = found["Against what needs no model"]
    assert [row[2] for row in rivals] == [
        shown(metrics["skill"][name]) for name in model_card.RIVALS
    ]
    leads = found["By days to the renewal"]
    assert [row[3] for row in leads] == [shown(one["intervals"]["auc"]) for one in metrics["leads"]]
    chosen = [row for row in found["Candidates"] if "chosen" in row[0]]
    assert [row[1] for row in chosen] == [
        f"{metrics['candidates'][metrics['recipe']]['log_loss']:.3f}"
    ]
    groups = found["What it looks at"]
    assert [(row[0], row[1]) for row in groups] == [
        (one["group"], f"{one['mean_contribution']:.3f}") for one in metrics["importance"]
    ]


def test_no_number_is_the_cards_own(models: Path) -> None:
    card = model_card.of_registry(models)
    records = [told(models, name) for name in TEXTS]
    allowed = set(NUMBER.findall(model_card.card([])))
    for leaf in (leaf for record in records for leaf in leaves(record)):
        allowed |= forms(leaf)
    manifest, metrics = records[0], records[1]
    allowed |= forms(manifest["losses"] / manifest["renewals"])
    allowed |= forms(len(manifest["features"]))
    allowed |= {str(lead["days_to"] - 1) for lead in metrics["leads"]}
    allowed |= {f"{max(b['high'] for b in metrics['calibration_bins']) * 100:.1f}", "0", "1", "0.5"}
    lines = card.splitlines()
    groups = {one["group"] for one in metrics["importance"]}
    figures = [
        token
        for line in lines
        # How many features a group has, and how many are known, are counted from lists.
        for token in NUMBER.findall(line)
        if not (line.startswith("| ") and line.split("|")[1].strip() in groups)
    ]
    assert len(figures) > 150
    assert [token for token in figures if token not in allowed] == []


def leaves(record: Any) -> Iterator[Any]:
    if isinstance(record, dict):
        for key, value in record.items():
            yield key
            yield from leaves(value)
    elif isinstance(record, list):
        for value in record:
            yield from leaves(value)
    else:
        yield record


def forms(leaf: Any) -> set[str]:
    """The ways in which a value of the registry may be printed."""
    if isinstance(leaf, str):
        return {leaf, *NUMBER.findall(leaf)}
    if leaf is None or isinstance(leaf, bool):
        return set()
    size = abs(leaf)
    return {f"{size:.3f}", f"{100 * size:.1f}", f"{size:,.0f}", f"{size:g}", str(size)}


def test_equal_registries_have_equal_cards(models: Path, tmp_path: Path) -> None:
    again = tmp_path / "models"
    shutil.copytree(models, again)
    assert model_card.of_registry(again) == model_card.of_registry(models)


def test_a_figure_that_changes_changes_on_the_card(models: Path, tmp_path: Path) -> None:
    other = tmp_path / "models"
    shutil.copytree(models, other)
    (path,) = other.glob("next_renewal/*/metrics.json")
    metrics = json.loads(path.read_text())
    metrics["skill"]["one_feature"].update(estimate=-0.25, low=-0.5, high=-0.125)
    path.write_text(json.dumps(metrics))
    card = model_card.of_registry(other)
    assert "| -0.250 [-0.500, -0.125] | better than the model |" in card
    assert "| -0.250 [-0.500, -0.125] |" not in model_card.of_registry(models)


def test_the_model_beats_what_needs_none() -> None:
    """In the company of the page, by every account drawn; small ones have too few to tell."""
    for head in scoring.HEADS:
        (path,) = TOLD.glob(f"{head}/*/metrics.json")
        record = json.loads(path.read_text())
        assert set(record["skill"]) == set(model_card.RIVALS)
        assert all(one["low"] > 0.0 for one in record["skill"].values())


def test_what_was_kept_out_is_named(models: Path, tmp_path: Path) -> None:
    other = tmp_path / "models"
    shutil.copytree(models, other)
    (path,) = other.glob("next_renewal/*/manifest.json")
    manifest = json.loads(path.read_text())
    manifest["kept_out"] = [{"feature": "f_usage__too_good", "auc": 0.991}]
    path.write_text(json.dumps(manifest))
    assert "- `f_usage__too_good`: tells outcomes apart alone with an AUC of 0.991" in (
        model_card.of_registry(other)
    )
    assert "nothing by the leakage check" in model_card.of_registry(models)


def test_the_size_of_a_renewal_has_its_own_figures(tmp_path: Path) -> None:
    frame = with_multiples(world(accounts=260), strength=0.12)
    model = multiple.train(frame, AS_OF)
    registry.save(tmp_path, model)
    registry.consider(tmp_path, model, SCORED_AT)
    card = model_card.of_registry(tmp_path)
    found = tables(card)
    metrics: dict[str, Any] = json.loads(json.dumps(model.metrics))
    (row,) = [row for row in found["Candidates"] if "chosen" in row[0]]
    against = metrics["squared_error_against_segment_mean"][model.recipe]
    assert row[1] == f"{metrics['candidates'][model.recipe]['mean_squared_error']:.5f}"
    assert row[2].startswith(f"{against['estimate']:.5f} [")
    assert dict(found["Data"])["renewals that were made"] == f"{model.manifest['renewals']:,}"
    assert dict(found["Means"])["all"] == f"{model.means.overall:.3f}"
    assert f"it held {100 * metrics['interval']['share']:.1f} %" in card
    assert ["usage", "2"] in [row[:2] for row in found["What it looks at"]]


def test_a_size_without_a_model_is_told_as_the_mean(tmp_path: Path) -> None:
    frame = with_multiples(world(accounts=15), strength=0.0)
    model = multiple.train(frame, AS_OF)
    registry.save(tmp_path, model)
    registry.consider(tmp_path, model, SCORED_AT)
    card = model_card.of_registry(tmp_path)
    assert "Chosen: insufficient history" in card
    assert "None is given: too few renewals were walked" in card


def test_without_a_model_the_card_says_so(tmp_path: Path) -> None:
    model = scoring.train(with_losses(5, accounts=120), "next_renewal", AS_OF, QUICK)
    serve(tmp_path, model)
    card = model_card.of_registry(tmp_path)
    assert "**No model serves**: 5 lost renewals, 10 are needed" in card
    assert "Out of time" not in tables(card)


def test_a_damaged_version_is_named(models: Path, tmp_path: Path) -> None:
    other = tmp_path / "models"
    shutil.copytree(models, other)
    (path,) = other.glob("next_renewal/*/metrics.json")
    path.unlink()
    with pytest.raises(RegistryError, match=r"next_renewal/\w+: metrics.json cannot be read"):
        model_card.of_registry(other)


def test_the_page_is_what_is_printed_of_its_registry() -> None:
    assert PAGE.read_text(encoding="utf-8") == model_card.of_registry(TOLD)


def take(models: Path) -> None:
    """Keep the texts of what serves in a registry, in place of those kept before."""
    shutil.rmtree(TOLD, ignore_errors=True)
    decisions = []
    for head in monthly.HEADS:
        version = registry.serving(models, head)
        if version is None:
            continue
        (TOLD / head / version).mkdir(parents=True)
        for name in (*TEXTS, "means.json"):
            if (models / head / version / name).exists():
                shutil.copy(models / head / version / name, TOLD / head / version / name)
        decisions += [d for d in registry.promotions(models, head) if d.model_version == version]
    lines = [json.dumps(d.__dict__, sort_keys=True) for d in decisions]
    (TOLD / registry.PROMOTIONS).write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        take(Path(sys.argv[1]))
    PAGE.write_text(model_card.of_registry(TOLD), encoding="utf-8")
