"""A model that was trained on something wrong is taken back, and the one before serves."""

from __future__ import annotations

import dataclasses
import datetime as dt
from pathlib import Path

import pytest

import scoring
from scoring import registry
from scoring.__main__ import main
from scoring.errors import RegistryError
from tests.scoring.worlds import AS_OF, SCORED_AT, with_losses

MAY, JUNE = dt.date(2025, 5, 31), AS_OF
HEAD = "next_renewal"


@pytest.fixture(scope="module")
def model() -> scoring.Model:
    return scoring.train(with_losses(0, accounts=60), HEAD, JUNE)


@pytest.fixture
def models(tmp_path: Path, model: scoring.Model) -> Path:
    """A registry of two months, each serving in its turn."""
    for version, cutoff in (("of_may", MAY), ("of_june", JUNE)):
        manifest = {**model.manifest, "training_cutoff_on": cutoff.isoformat()}
        one = dataclasses.replace(model, version=version, cutoff=cutoff, manifest=manifest)
        registry.save(tmp_path, one)
        registry.consider(tmp_path, one, SCORED_AT)
    return tmp_path


def test_the_version_before_serves_and_nothing_is_trained_anew(models: Path) -> None:
    assert registry.serving(models, HEAD) == registry.version_at(models, HEAD, JUNE) == "of_june"
    assert main(["withdraw", str(models), HEAD, "of_june"]) == 0
    assert registry.serving(models, HEAD) == "of_may"
    # A version for the month: the night finds it and has nothing to train.
    assert registry.version_at(models, HEAD, JUNE) == "of_may"
    assert registry.version_at(models, HEAD, MAY) == "of_may"
    assert (models / HEAD / "of_june" / "manifest.json").exists()


def test_it_is_a_decision_like_others_and_made_once(models: Path) -> None:
    before = registry.promotions(models)
    first = registry.withdraw(models, HEAD, "of_june", SCORED_AT)
    again = registry.withdraw(models, HEAD, "of_june", SCORED_AT + dt.timedelta(days=1))
    assert again == first
    assert registry.promotions(models) == [*before, first]
    assert (first.is_promoted, first.reason) == (False, "withdrawn")


def test_the_next_months_training_serves_again(models: Path, model: scoring.Model) -> None:
    registry.withdraw(models, HEAD, "of_june", SCORED_AT)
    july = dt.date(2025, 7, 31)
    manifest = {**model.manifest, "training_cutoff_on": july.isoformat()}
    new = dataclasses.replace(model, version="of_july", cutoff=july, manifest=manifest)
    registry.save(models, new)
    decision = registry.consider(models, new, SCORED_AT)
    assert (decision.reason, decision.replaced) == ("refresh", "of_may")
    assert registry.version_at(models, HEAD, july) == registry.serving(models, HEAD) == "of_july"


def test_nothing_is_withdrawn_without_another_to_serve(
    models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(RegistryError, match="no other version"):
        registry.withdraw(models, HEAD, "of_may", SCORED_AT)
    assert main(["withdraw", str(models), HEAD, "of_april"]) == 1
    assert "there are: of_may, of_june" in capsys.readouterr().err
