"""Where an installation keeps its state, and the date a run is for.

Belongs here: the two resources every asset takes. Must not be here: what is done with the paths.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
from pydantic import Field, PrivateAttr

PROJECT_ROOT = Path(__file__).resolve().parent.parent
DBT_PROJECT = PROJECT_ROOT / "dbt_project"


def default_home() -> Path:
    """Folder that holds the state: TENURE_HOME, else the project itself."""
    return Path(os.environ.get("TENURE_HOME", PROJECT_ROOT)).absolute()


class Installation(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The folders of one installation, all under `home`."""

    home: str = Field(
        default="", description="Folder of the state; empty: TENURE_HOME, else the project."
    )

    @property
    def root(self) -> Path:
        """The folder itself, absolute."""
        return Path(self.home).absolute() if self.home else default_home()

    @property
    def lake(self) -> Path:
        """Landed Parquet."""
        return self.root / "lake"

    @property
    def warehouse(self) -> Path:
        """The DuckDB file that runs build in."""
        return self.root / "warehouse" / "tenure.duckdb"

    @property
    def published(self) -> Path:
        """The folder of published nights."""
        return self.root / "published"

    @property
    def models(self) -> Path:
        """The model registry."""
        return self.root / "models"

    @property
    def dbt_target(self) -> Path:
        """Where dbt writes its artefacts: never shared by two installations."""
        return self.root / "warehouse" / "dbt_target"

    @contextmanager
    def dbt_environment(
        self, lake: str | None = None, warehouse: Path | None = None
    ) -> Iterator[None]:
        """Set the variables that `profiles.yml` and the sources read; put them back afterwards.

        Args:
            lake: where sources lie, if not in the installation's lake.
            warehouse: the file built in, if not the installation's.
        """
        wanted = {
            "TENURE_LAKE": lake or str(self.lake),
            "TENURE_WAREHOUSE": str(warehouse or self.warehouse),
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        }
        before = {name: os.environ.get(name) for name in wanted}
        os.environ.update(wanted)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value


class Night(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The date a run is for. Everything a run builds is a function of the lake and this date."""

    as_of: str = Field(default="", description="YYYY-MM-DD; empty: the day before the run, UTC.")

    _began: datetime | None = PrivateAttr(default=None)

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """Hold the day on which the run was asked for: it may go on past midnight."""
        run = context.run
        if run is not None and context.instance is not None:
            # A run that takes up a failed one is still that one's night.
            record = context.instance.get_run_record_by_id(run.root_run_id or run.run_id)
            self._began = record.create_timestamp if record is not None else None

    @property
    def date(self) -> date:
        """The date, the same in every step of a run.

        Raises:
            dagster.Failure: if the configured text is no date, or lies in the future.
        """
        try:
            return parse_as_of(self.as_of, self._began)
        except ValueError as error:
            raise dg.Failure(str(error), allow_retries=False) from error


def parse_as_of(text: str, now: datetime | None = None) -> date:
    """Read a date given as text; empty means the last day that was complete at `now`, UTC.

    Raises:
        ValueError: naming the text and the remedy.
    """
    today = (now or datetime.now(UTC)).astimezone(UTC).date()
    if not text:
        return today - timedelta(days=1)
    try:
        wanted = date.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"as_of {text!r} is not a date. Write it as 2026-01-31.") from error
    if wanted > today:
        raise ValueError(
            f"as_of {wanted} lies in the future. Leave it out for yesterday, or give a past date."
        )
    return wanted
