"""Which pages there are, in the order of the navigation.

Belongs here: title, icon and address of each page. Must not be here: what it shows (`views`).
"""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType

from dashboards.views import account, cohorts, renewals, revenue, today, trust, value


@dataclass(frozen=True)
class Entry:
    """A page in the navigation."""

    view: ModuleType
    title: str
    icon: str
    path: str


ENTRIES = (
    Entry(today, "Today", ":material/call:", "today"),
    Entry(renewals, "Renewals", ":material/event_repeat:", "renewals"),
    Entry(revenue, "Revenue", ":material/waterfall_chart:", "revenue"),
    Entry(cohorts, "Cohorts", ":material/groups:", "cohorts"),
    Entry(value, "Value", ":material/diamond:", "value"),
    Entry(account, "Account", ":material/domain:", "account"),
    Entry(trust, "Trust", ":material/verified:", "trust"),
)
