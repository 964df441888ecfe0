"""The frame around the pages: navigation, filters, which night is shown.

Run by `python -m dashboards` (`make dashboard`). Belongs here: what all pages have in common on the
screen. Must not be here: figures.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import streamlit as st

from dashboards import formats, parts
from dashboards.app_pages import ENTRIES, Entry
from dashboards.filters import Filters
from dashboards.frame import night_shown, page_of, remembered
from dashboards.night import Night, NightError
from dashboards.queries import shared

#: Filter -> label, what all is called, and its name in the address.
CHOICES = {
    "segment": ("Segment", "All segments", "segment"),
    "region": ("Region", "All regions", "region"),
    "owner_id": ("Owner", "All owners", "owner"),
}


def main() -> None:
    """Draw the page that the reader is on."""
    st.set_page_config(
        page_title="Tenure",
        page_icon=str(Path(__file__).with_name("icon.svg")),
        layout="wide",
        menu_items={"Get help": None, "Report a bug": None, "About": None},
    )
    st.html(parts.STYLE)
    pages = {
        st.Page(_drawing(entry), title=entry.title, icon=entry.icon, url_path=entry.path,
                default=entry is ENTRIES[0]): entry
        for entry in ENTRIES
    }  # fmt: skip
    st.navigation(list(pages)).run()


def _drawing(entry: Entry) -> Callable[[], None]:
    def draw() -> None:
        st.title(entry.title, anchor=False)
        try:
            night = night_shown()
            filters = _choose(night, entry)
            _say_which(night)
            page = page_of(filters)
        except NightError as error:
            st.error(str(error), icon=":material/error:")
            return
        with parts.section():
            entry.view.show(page)

    # Streamlit tells pages apart by the names of their functions.
    draw.__name__ = entry.path
    return draw


def _choose(night: Night, entry: Entry) -> Filters:
    """Show the filters that a page heeds; what others were set to is kept for their pages."""
    heeded: frozenset[str] = entry.view.FILTERS
    offered = remembered(night, shared.choices)
    owners = remembered(night, shared.owner_names)
    chosen: dict[str, str | None] = {}
    other_pages: list[str] = []
    for name, (label, everything, address) in CHOICES.items():
        kept = f"kept_{name}"
        if kept not in st.session_state:
            st.session_state[kept] = st.query_params.get(address)
        if name not in heeded:
            if st.session_state[kept]:
                other_pages.append(_named(everything, owners)(st.session_state[kept]))
            continue
        kind = "owner" if name == "owner_id" else name
        values = list(offered.loc[offered["kind"] == kind, "value"])
        if kind == "owner":
            values.sort(key=lambda owner: owners.get(owner, owner))
        options = [None, *values]
        before = st.session_state[kept]
        chosen[name] = st.sidebar.selectbox(
            label,
            options,
            index=options.index(before) if before in options else 0,
            format_func=_named(everything, owners),
            key=f"{entry.path}_{name}",
        )
        st.session_state[kept] = chosen[name]
    if other_pages:
        cut = " or ".join(other_pages)
        st.sidebar.caption(f"Not narrowed to {cut}: these figures are not kept that way.")
    return Filters(**chosen)


def _named(everything: str, owners: dict[str, str]) -> Callable[[str | None], str]:
    return lambda value: everything if value is None else owners.get(value, value)


def _say_which(night: Night) -> None:
    """Say of which day the figures are, and what of them is old."""
    age = (datetime.now(UTC).date() - night.as_of).days
    lines = [f"As of the end of **{formats.day(night.as_of)}** (UTC)."]
    if age > 2:
        lines.append(f":orange[That is {formats.plural(age, 'day')} ago: has the night run?]")
    try:
        silent = len(remembered(night, shared.sources_silent))
    except NightError:
        silent = 0
    if silent:
        verb = "is" if silent == 1 else "are"
        lines.append(
            f"{formats.plural(silent, 'landed table')} {verb} silent for longer than normal, "
            "see Trust."
        )
    st.sidebar.caption("  \n".join(lines))


main()
