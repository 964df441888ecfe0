"""What a connector's run says about itself.

Belongs here: the report's shape and its one-line summary. Must not be here: anything that decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ingestion.drift import Change


@dataclass
class TableReport:
    """What happened to one table in a run.

    What came in is what landed, what was known and what was kept out:
    `received + made == rows + deduplicated + rejects` at the end of a run.

    Attributes:
        rows: rows landed.
        received: rows handed over by the source.
        deduplicated: rows that had landed as they are, or came twice.
        made: rows written for records that are no longer there (tombstones).
        bytes: bytes of Arrow data handed to the lake (for events: bytes of Parquet written).
        deletes: rows landed that say a record is gone.
        rejects: rows kept out, to be found among the rejects.
        windows: windows finished.
    """

    rows: int = 0
    received: int = 0
    deduplicated: int = 0
    made: int = 0
    bytes: int = 0
    deletes: int = 0
    rejects: int = 0
    windows: int = 0

    @property
    def is_balanced(self) -> bool:
        """Whether every row that came in is accounted for."""
        return self.received + self.made == self.rows + self.deduplicated + self.rejects


@dataclass
class LoadReport:
    """What a connector's run did.

    Attributes:
        source: the source.
        load_ids: finished loads of this source, in order.
        tables: per table.
        partial: whether the run stopped honestly before the end (quota, missing permission).
        notes: what a person should know, one sentence each.
        seconds: wall-clock time.
        other_loads: finished loads in other sources' folders (custom objects land with the desk).
        changes: changes of the source's shape that were not told before.
        blocked: what was not loaded and must be decided before anything is built, a sentence each.
    """

    source: str
    load_ids: list[str] = field(default_factory=list)
    tables: dict[str, TableReport] = field(default_factory=dict)
    partial: bool = False
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0
    other_loads: dict[str, list[str]] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    blocked: list[str] = field(default_factory=list)

    def table(self, name: str) -> TableReport:
        """The table's report, begun if new."""
        return self.tables.setdefault(name, TableReport())

    def note(self, sentence: str) -> None:
        """Adds a sentence once."""
        if sentence not in self.notes:
            self.notes.append(sentence)

    def block(self, sentence: str) -> None:
        """Adds a reason not to build on the source, once."""
        self.partial = True
        if sentence not in self.blocked:
            self.blocked.append(sentence)

    def changes_of(self, table: str) -> list[Change]:
        """The changes of one table."""
        return [c for c in self.changes if c.table_name == table]

    @property
    def rows(self) -> int:
        """Rows landed in all tables."""
        return sum(t.rows for t in self.tables.values())

    @property
    def rejects(self) -> int:
        """Rows kept out of all tables."""
        return sum(t.rejects for t in self.tables.values())

    def loads_by_source(self) -> Mapping[str, list[str]]:
        """All finished loads, by the folder they are in."""
        return {self.source: self.load_ids, **self.other_loads}

    def summary(self) -> str:
        """One line for people."""
        state = "blocked" if self.blocked else "partial" if self.partial else "complete"
        known = sum(t.deduplicated for t in self.tables.values())
        return (
            f"{self.source}: {state}, {self.rows:,} rows in {len(self.tables)} tables, "
            f"{known:,} known already, {self.rejects:,} rejected, {self.seconds:.1f} s"
        )
