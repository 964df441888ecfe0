"""A product's database with a table of events, for tests that load from it."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from ingestion.settings import Settings, UsagePostgresSettings, UsageSettings

if TYPE_CHECKING:
    from sample_company.servers.postgres import PostgresServer

TABLE = """
create table usage_events (
    event_id text, received_at timestamptz, occurred_at timestamptz, workspace_id text,
    user_id text, event_name text, properties jsonb, email text
);
create index on usage_events (received_at)
"""
COLUMNS = "event_id, received_at, occurred_at, workspace_id, user_id, event_name, properties, email"


class Place:
    """A database of a test: its rows, and the settings that lead to them."""

    def __init__(self, server: PostgresServer, name: str, home: Path) -> None:
        self.server, self.name, self.home = server, name, home

    @classmethod
    def made(cls, server: PostgresServer, name: str, home: Path) -> Place:
        """A database of that name with an empty table of events."""
        server.create_database(name)
        place = cls(server, name, home)
        place.run(TABLE)
        return place

    def run(self, script: str) -> None:
        """Runs statements as the owner."""
        self.server.run(script, self.name)

    def add(self, first: int, last: int, *, without: Collection[str] = (), **values: str) -> None:
        """Events `m<first>` to `m<last>`, a minute apart; SQL expressions over `i` may be given.

        Columns that are not there any more are left out.
        """
        cells = {
            "event_id": "'m' || i",
            "received_at": "timestamptz '2026-03-01 00:00:05Z' + i * interval '1 minute'",
            "occurred_at": "timestamptz '2026-03-01 00:00:00Z' + i * interval '1 minute'",
            "workspace_id": "'ws_' || i % 3",
            "user_id": "'u' || i % 7",
            "event_name": "'feature_used'",
            "properties": """'{"feature": "export"}'::jsonb""",
            "email": "'ada' || i || '@example.com'",
        } | values
        if "occurred_at" not in values:
            # A little before it was received, whenever that is.
            cells["occurred_at"] = f"least({cells['occurred_at']}, {cells['received_at']})"
        names = [c for c in COLUMNS.split(", ") if c not in without]
        chosen = ", ".join(cells[name] for name in names)
        self.run(
            f"insert into usage_events ({', '.join(names)}) "
            f"select {chosen} from generate_series({first}, {last}) i"
        )

    def settings(self, dsn: str | None = None, **more: Any) -> Settings:
        """Settings that lead to the table."""
        given = UsagePostgresSettings(SecretStr(dsn or self.server.url(self.name)), **more)
        return Settings(self.home, "test", usage=UsageSettings(None, postgres=given))
