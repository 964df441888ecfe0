"""What a reader narrows the pages down to.

Belongs here: the choice, and how it becomes a condition in SQL. Must not be here: the widgets
(`app`), which page heeds which filter (`views`).
"""

from __future__ import annotations

from dataclasses import dataclass, fields

UNKNOWN = "(unknown)"


@dataclass(frozen=True)
class Filters:
    """A reader's choice; None means all.

    Attributes:
        segment: SMB, mid-market, enterprise or (unknown).
        region: a sales region or (unknown).
        owner_id: the employee who owns the account.
    """

    segment: str | None = None
    region: str | None = None
    owner_id: str | None = None

    def only(self, names: frozenset[str]) -> Filters:
        """Return the choice as a page sees it that heeds these filters alone."""
        return Filters(**{f.name: getattr(self, f.name) for f in fields(self) if f.name in names})

    def where(
        self, *, segment: str | None = None, region: str | None = None, owner: str | None = None
    ) -> str:
        """Return a condition over the columns given; `true` when nothing narrows them.

        The values are named parameters, see `parameters`.

        Args:
            segment: expression of the segment, None where the table has none.
            region: expression of the region.
            owner: expression of the owner's id.
        """
        parts = []
        if segment and self.segment:
            parts.append(f"coalesce({segment}, '{UNKNOWN}') = $segment")
        if region and self.region:
            parts.append(f"coalesce({region}, '{UNKNOWN}') = $region")
        if owner and self.owner_id:
            parts.append(f"{owner} = $owner_id")
        return " and ".join(parts) or "true"

    def parameters(self, sql: str) -> dict[str, str]:
        """Return the named parameters that a query uses."""
        values = {"segment": self.segment, "region": self.region, "owner_id": self.owner_id}
        return {name: value for name, value in values.items() if value and f"${name}" in sql}

    def in_words(self, owner_name: str | None = None) -> str:
        """Return what the figures are narrowed to, as words; empty for the whole company."""
        chosen = [self.segment, self.region, owner_name or self.owner_id if self.owner_id else None]
        return ", ".join(value for value in chosen if value)
