"""The feature model, its description and the words of its reasons name the same features."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import yaml

from scoring import multiple
from scoring.frame import CONTEXT, KEYS, LABELS, FeatureSpec

DBT = Path(__file__).parents[2] / "dbt_project"
FEATURES = DBT / "models" / "intermediate" / "features"


def _described() -> list[str]:
    text = (FEATURES / "int_account_features.yml").read_text()
    return [c["name"] for c in yaml.safe_load(text)["models"][0]["columns"]]


def _labels() -> list[dict[str, str]]:
    with (DBT / "seeds" / "scores" / "feature_labels.csv").open() as stream:
        return list(csv.DictReader(stream))


def test_every_feature_is_described_and_has_words() -> None:
    sql = (FEATURES / "int_account_features.sql").read_text()
    written = {f"f_{g}__{n}" for g, n in re.findall(r"\(\s*'([a-z]+)', '([a-z0-9_]+)',", sql)}
    described = {c for c in _described() if c.startswith("f_")}
    assert len(written) >= 60
    assert written == described == {row["feature"] for row in _labels()}


def test_the_frame_holds_what_scoring_asks_for() -> None:
    assert {*KEYS, *CONTEXT, *LABELS, multiple.LABEL} <= set(_described())


def test_no_feature_is_on_the_deny_list_and_groups_agree() -> None:
    spec = FeatureSpec.from_columns(_described())
    assert {row["feature"]: row["feature_group"] for row in _labels()} == dict(spec.groups)


def test_no_reason_claims_a_cause() -> None:
    words = (DBT / "macros" / "features" / "reasons.sql").read_text()
    mart = (DBT / "models" / "marts" / "renewals" / "churn_risk.sql").read_text()
    assert "associated with a " in mart
    assert "because" not in mart
    assert all("because" not in row["label"] for row in _labels())
    assert 'never "because"' in words
