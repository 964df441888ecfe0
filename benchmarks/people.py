"""People, adoption, success and value rebuilt in full, at 1,000, 10,000 and 100,000 accounts.

What is rebuilt: every mart of renewals and value that `benchmarks.revenue` leaves out, the facts
and dimensions that only these need, and features of every account and month. What is given: all
that `benchmarks.revenue` is given or rebuilds, so that each model is counted once; and findings,
which are appended when programmes and triggers are looked at.

Belongs here: which models, and what must come of them. Must not be here: how they are measured.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks import rebuild
from benchmarks.revenue import REVENUE
from orchestration.dbt import load_manifest

SIZES = rebuild.SIZES


def people() -> rebuild.Rebuild:
    """What is measured: what stands on revenue, without it."""
    manifest = load_manifest()
    before = set(rebuild.find_scope(manifest, REVENUE.asked, REVENUE.given).names)
    paths = {
        node["name"]: node["original_file_path"]
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model"
    }
    return rebuild.Rebuild(
        title="People, adoption, success and value",
        asked=("models/marts/renewals/", "models/marts/value/"),
        given=(*REVENUE.given, *sorted(paths[name] for name in before)),
        facts={
            "months of value": "count(*) from value.customer_value",
            "months of relationships": "count(*) from renewals.relationships",
            "champions": "count(*) from renewals.champions",
            "plans": "count(*) from renewals.action_plans",
            "renewals and deals": "count(*) from renewals.renewal_process",
            "accounts scored": "count(*) from renewals.churn_risk",
            "months of adoption": "count(utilisation_rate) from value.adoption",
            "alumni": "count(*) from value.alumni",
            "measurements": "count(*) from value.success_outcomes",
            "months of success": "count(*) from value.success_accounts",
            "answers": "count(*) from value.voice",
            "months of features": "count(*) from intermediate.int_account_features",
        },
        nothing={
            "months counted twice": """
                count(*) - count(distinct (account_id, month_end_on)) from value.customer_value
            """,
        },
    )


def run(sizes: Sequence[int], folder: Path) -> Iterator[str]:
    """Measure the sizes; see `rebuild.run`."""
    return rebuild.run(people(), sizes, folder)
