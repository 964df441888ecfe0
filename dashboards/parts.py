"""The parts that pages are put together from: figures, tables, sections, charts.

Belongs here: markup and Streamlit calls that all pages share. Must not be here: what a page says.
Tables and figures are plain HTML, so that texts wrap, screen readers read them and any definition
can be reached by mouse and keyboard; everything that comes from data is escaped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from typing import Any
from urllib.parse import urlencode

import pandas as pd
import streamlit as st

from dashboards import formats
from dashboards.charts import Drawn
from dashboards.frame import Page
from dashboards.night import NightError

#: A column of this name shows who `owner_id` is.
OWNER = "owner"

#: One style sheet for what is written here; colours are those of the reader's theme.
STYLE = """
<style>
.t-lead { font-size: 1.12rem; line-height: 1.5; margin: 0 0 .4rem 0; max-width: 62rem; }
.t-figures { display: grid; gap: .6rem; margin: .2rem 0 .6rem 0 !important;
  padding: 0 !important;
  grid-template-columns: repeat(auto-fit, minmax(8.4rem, 1fr)); }
.t-figure { border: 1px solid rgba(128,128,128,.28); border-radius: .5rem;
  padding: .55rem .75rem; }
.t-figure dt { font-size: .84rem; line-height: 1.25; font-weight: 400;
  color: color-mix(in srgb, currentColor 82%, transparent); }
.t-figure dd { margin: .1rem 0 0 0; font-size: 1.55rem; font-weight: 600; line-height: 1.25; }
.t-figure dd small { display: block; font-size: .8rem; font-weight: 400; opacity: .8;
  line-height: 1.3; }
.t-table { width: 100%; border-collapse: collapse; font-size: .88rem; line-height: 1.35;
  margin: 0 0 .4rem 0; }
.t-table th { text-align: left; font-weight: 600; vertical-align: bottom; padding: .3rem .5rem;
  border-bottom: 2px solid rgba(128,128,128,.4); }
.t-table td { vertical-align: top; padding: .35rem .5rem;
  border-bottom: 1px solid rgba(128,128,128,.2); overflow-wrap: break-word; }
.t-table .n { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
.t-table th.n { white-space: normal; }
.t-table a { color: inherit; font-weight: 600; text-underline-offset: 2px; }
.t-table a:focus-visible { outline: 2px solid #3B8BC8; outline-offset: 2px; }
.t-table .w { white-space: nowrap; }
.t-def { border-bottom: 1px dotted currentColor; cursor: help; position: relative; }
.t-def:focus { outline: 2px solid #3B8BC8; outline-offset: 2px; }
.t-def:hover::after, .t-def:focus::after { content: attr(data-def); position: absolute; left: 0;
  top: calc(100% + .3rem); z-index: 999; width: max-content; max-width: 20rem;
  background: #22303C; color: #FFFFFF; padding: .5rem .65rem; border-radius: .35rem;
  font-size: .8rem; font-weight: 400; line-height: 1.4; text-align: left; white-space: normal; }
.t-figure:nth-last-child(-n+2) .t-def::after, th:nth-last-child(-n+4) .t-def::after {
  left: auto; right: 0; }
.t-tag { display: inline-block; border: 1px solid currentColor; border-radius: .7rem;
  padding: 0 .5rem; font-size: .8rem; white-space: nowrap; }
.t-note { font-size: .85rem; opacity: .82; margin: 0 0 .3rem 0; max-width: 62rem; }
</style>
"""


@dataclass(frozen=True)
class Column:
    """A column of a table on a page.

    Attributes:
        name: column of the frame.
        title: what stands above it, with its unit where it has one.
        write: how a value is written.
        means: column of the table's mart whose description explains it, where it goes by another
            name there; `schema.table.column` where it is another mart's.
        numeric: whether it is written to the right.
        link: whether it leads to the account of the row (needs account_id).
        wrap: whether a long text may take several lines.
    """

    name: str
    title: str
    write: Callable[[Any], str] = formats.text
    means: str | None = None
    numeric: bool = False
    link: bool = False
    wrap: bool = True


@dataclass(frozen=True)
class Figure:
    """A figure at the top of a page.

    Attributes:
        label: what it is.
        value: as it is written.
        note: what makes it readable: a base, a change, a date.
        means: `schema.table.column` whose description explains it.
        explained: an explanation where no single column says it.
    """

    label: str
    value: str
    note: str = ""
    means: str | None = None
    explained: str = ""


@contextmanager
def section(title: str | None = None) -> Iterator[None]:
    """Head a section; what its marts lack is said in words, and the rest of the page goes on."""
    if title:
        st.subheader(title, anchor=False)
    try:
        yield
    except NightError as error:
        st.warning(str(error), icon=":material/info:")


def lead(sentence: str) -> None:
    """Say the answer first."""
    st.html(f'<p class="t-lead">{escape(sentence)}</p>')


def note(sentence: str) -> None:
    """Say what a reader must know to read the figures right."""
    st.html(f'<p class="t-note">{escape(sentence)}</p>')


def nothing(sentence: str) -> None:
    """Say in plain words that there is nothing to show, and why."""
    st.info(sentence, icon=":material/info:")


def figures(page: Page, items: Sequence[Figure]) -> None:
    """Show figures beside each other."""
    cells = []
    for item in items:
        label = _explained(item.label, item.explained or page.meaning(item.means))
        small = f"<small>{escape(item.note)}</small>" if item.note else ""
        cells.append(
            f'<div class="t-figure"><dt>{label}</dt><dd>{escape(item.value)}{small}</dd></div>'
        )
    st.html(f'<dl class="t-figures">{"".join(cells)}</dl>')


def table(
    page: Page,
    frame: pd.DataFrame,
    columns: Sequence[Column],
    caption: str,
    of: str | None = None,
) -> None:
    """Show a frame as a table that wraps, its headings explained.

    Args:
        page: whose meanings and filters are used.
        frame: the rows, few enough to be read.
        columns: what of them.
        caption: what the table is, for those who hear it.
        of: the mart, `schema.table`, whose columns explain those of the same name.
    """
    head = "".join(
        f'<th scope="col"{_css(column)}>{_explained(column.title, _meaning(page, column, of))}</th>'
        for column in columns
    )
    body = "".join(_row(page, row, columns) for row in frame.to_dict("records"))
    st.html(
        f'<table class="t-table" aria-label="{escape(caption)}">'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    )


def chart(
    drawn: Drawn,
    alt_text: str,
    page: Page | None = None,
    frame: pd.DataFrame | None = None,
    columns: Sequence[Column] = (),
    of: str | None = None,
) -> None:
    """Show a chart, said in words for those who do not see it, with its figures folded below.

    Args:
        drawn: the chart.
        alt_text: what it shows.
        page: whose meanings and filters the figures below use; None where there are none.
        frame: the figures.
        columns: what of them.
        of: the mart whose columns explain those of the same name.
    """
    st.altair_chart(drawn, width="stretch", alt=alt_text)
    if page is not None and frame is not None and columns:
        with st.expander("These figures as a table"):
            table(page, frame, columns, alt_text, of)


def account_link(page: Page, account_id: str) -> str:
    """Return the address of an account's page, with the reader's choice kept."""
    kept = {
        "segment": page.filters.segment,
        "region": page.filters.region,
        "owner": page.filters.owner_id,
    }
    chosen = {name: value for name, value in kept.items() if value}
    return f"account?{urlencode({'id': account_id, **chosen})}"


def months_of(frame: pd.DataFrame, column: str) -> list[pd.Timestamp]:
    """Return the months of a frame in order."""
    return [pd.Timestamp(value) for value in sorted(frame[column].unique())]


def _row(page: Page, row: dict[Any, Any], columns: Sequence[Column]) -> str:
    cells = []
    for column in columns:
        text = escape(
            page.owner(row.get("owner_id"))
            if column.name == OWNER
            else column.write(row.get(column.name))
        )
        if column.link and not formats.is_unknown(row.get("account_id")):
            address = escape(account_link(page, str(row["account_id"])))
            text = f'<a href="{address}" target="_self">{text}</a>'
        cells.append(f"<td{_css(column)}>{text}</td>")
    return f"<tr>{''.join(cells)}</tr>"


def _meaning(page: Page, column: Column, of: str | None) -> str:
    name = column.means or column.name
    return page.meaning(name if "." in name else f"{of}.{name}" if of else None)


def _css(column: Column) -> str:
    if column.numeric:
        return ' class="n"'
    return "" if column.wrap else ' class="w"'


def _explained(label: str, meaning: str) -> str:
    if not meaning:
        return escape(label)
    return (
        f'<span class="t-def" tabindex="0" data-def="{escape(meaning)}"'
        f' aria-label="{escape(label)}: {escape(meaning)}">{escape(label)}</span>'
    )
