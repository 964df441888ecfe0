"""What a page is given: the night, the reader's choice, names and meanings, cached answers.

Belongs here: the border between Streamlit and the rest, kept small. Must not be here: widgets
(`app`), what is drawn (`views`). Answers are kept as long as the night they are of is the one that
readers see; a page that runs keeps the night it began with, so no page mixes two.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from dashboards.filters import Filters
from dashboards.formats import UNKNOWN, is_unknown
from dashboards.night import Identity, Night, current, open_night, published_folder
from dashboards.queries import shared


@dataclass(frozen=True)
class Page:
    """What a page is drawn from.

    Attributes:
        night: the night that readers see.
        filters: the reader's choice, as far as the page heeds it.
        meanings: `schema.table.column` -> what it means, as dbt describes it.
        owners: id -> name of our own people; empty where names are not published.
    """

    night: Night
    filters: Filters
    meanings: dict[str, str]
    owners: dict[str, str]

    def ask(self, query: Callable[..., pd.DataFrame], *arguments: Any) -> pd.DataFrame:
        """Answer a query of `queries`, from memory where it was asked of this night before."""
        frame: pd.DataFrame = remembered(self.night, query, *arguments)
        return frame

    def meaning(self, column: str | None) -> str:
        """Return what a column means; empty where nothing is known of it."""
        return self.meanings.get(column, "") if column else ""

    def owner(self, employee_id: Any) -> str:
        """Return how to call one of our people: by name where names are published."""
        if is_unknown(employee_id):
            return UNKNOWN
        return self.owners.get(str(employee_id), str(employee_id))


def night_shown() -> Night:
    """Return the night that readers see now, opened once.

    Raises:
        NightError: none is published, or it cannot be read.
    """
    identity = current(published_folder())
    return _opened(str(identity.folder), identity.written_ns)


def remembered(night: Night, query: Callable[..., Any], *arguments: Any) -> Any:
    """Return what a query of `queries` answers, asked once a night and choice."""
    identity = night.identity
    name = f"{query.__module__}.{query.__qualname__}"
    return _answer(str(identity.folder), identity.written_ns, name, arguments, night, query)


def page_of(filters: Filters) -> Page:
    """Return what a page is drawn from now."""
    night = night_shown()
    return Page(
        night,
        filters,
        remembered(night, shared.definitions),
        remembered(night, shared.owner_names),
    )


@st.cache_resource(max_entries=1, show_spinner=False)
def _opened(folder: str, written_ns: int) -> Night:
    # Of the night before nothing is kept, names of people who were erased since least of all.
    _answer.clear()
    return open_night(Identity(Path(folder), written_ns))


@st.cache_data(max_entries=1000, show_spinner=False)
def _answer(
    folder: str,
    written_ns: int,
    name: str,
    arguments: tuple[Any, ...],
    _night: Night,
    _query: Callable[..., Any],
) -> Any:
    return _query(_night, *arguments)
