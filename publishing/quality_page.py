"""The quality of what was loaded, as one page that needs no network and no script.

Great Expectations renders its own pages with files from elsewhere; this one is written from the
results that the gate keeps in the lake, and from the marts of `operations`.

Belongs here: layout. Must not be here: an expectation, a threshold, a value of any record.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from html import escape
from pathlib import Path

import duckdb

FILE = "pages/data-quality.html"

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --bad: #b3261e; --warn: #8a5a00; --good: #1b6e3c }
@media (prefers-color-scheme: dark) { :root { --bad: #ff9d94; --warn: #ffc266; --good: #7fd8a0 } }
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem }
table { border-collapse: collapse; margin: .5rem 0 1.5rem; width: 100% }
caption { text-align: left; padding: .3rem 0 }
th, td { border-bottom: 1px solid var(--line); padding: .3rem .6rem; text-align: left;
  vertical-align: top; overflow-wrap: anywhere }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums }
.bad { color: var(--bad); font-weight: 600 } .warn { color: var(--warn); font-weight: 600 }
.good { color: var(--good) }
details { border-bottom: 1px solid var(--line); padding: .3rem 0 } summary { cursor: pointer }
"""
_NEWEST = """
    select
        source, table_name, expectation, passed, is_blocking, observed, rows, message, checked_at
    from read_parquet($files, union_by_name = true)
    where table_name <> ''
    qualify checked_at = max(checked_at) over (partition by source, table_name)
    order by source, table_name, passed, expectation
"""
_ACCEPTED = """
    select source, message, checked_at from read_parquet($files, union_by_name = true)
    where expectation = 'accepted' order by checked_at desc, source
"""
_FRESHNESS = """
    select source_name, table_name, newest_known_on, lag_days, expected_lag_days, is_stale
    from operations.freshness where has_facts
    order by is_stale desc nulls last, source_name, table_name
"""
_REJECTS = """
    select source_name, table_name, field, rule, min(remedy) as remedy, count(*) as rows
    from operations.rejects where not is_replayed group by all
    order by rows desc, source_name, table_name, field, rule
"""
_GAPS = "select gap_type, count(*) as found from operations.data_gaps group by all order by all"


@dataclass(frozen=True)
class Result:
    """What an expectation found of a table, as the gate keeps it.

    Attributes:
        source: folder of the lake.
        table: landed table.
        expectation: its name.
        passed: whether it holds.
        is_blocking: whether its failure stops a night.
        observed: rows at fault.
        rows: rows looked at.
        message: what holds, or what is wrong and what to do.
        checked_at: when, UTC.
    """

    source: str
    table: str
    expectation: str
    passed: bool
    is_blocking: bool
    observed: float
    rows: int
    message: str
    checked_at: object

    @property
    def verdict(self) -> str:
        """Return the outcome as the page shows it."""
        if self.passed:
            return '<span class="good">holds</span>'
        if self.is_blocking:
            return '<span class="bad">fails, blocks</span>'
        return '<span class="warn">fails</span>'


def newest(lake: Path) -> dict[str, list[Result]]:
    """Return what was found of each table, `source.table`, when something was last loaded."""
    found: dict[str, list[Result]] = {}
    if files := _files(lake):
        with duckdb.connect() as connection:
            connection.execute("set timezone = 'UTC'")
            for row in connection.execute(_NEWEST, {"files": files}).fetchall():
                result = Result(*row)
                found.setdefault(f"{result.source}.{result.table}", []).append(result)
    return found


def page(lake: Path, warehouse: Path, as_of: date) -> str:
    """Return the page of a night.

    Args:
        lake: root of the lake, with the results that the quality gate keeps.
        warehouse: the DuckDB file with the marts of the night.
        as_of: the night.
    """
    files = _files(lake)
    results = [result for found in newest(lake).values() for result in found]
    accepted: Rows = []
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        connection.execute("set timezone = 'UTC'")
        if files:
            accepted = connection.execute(_ACCEPTED, {"files": files}).fetchall()
        freshness = connection.execute(_FRESHNESS).fetchall()
        rejects = connection.execute(_REJECTS).fetchall()
        gaps = connection.execute(_GAPS).fetchall()
    failed = [r for r in results if not r.passed]
    stale = [row for row in freshness if row[-1]]
    body = [
        f"<h1>Data quality, night of {as_of}</h1>",
        f"<p>{_counted(len(results), 'expectation')} about "
        f"{_counted(len({(r.source, r.table) for r in results}), 'table')}, as last checked when "
        f"something was loaded: <strong>{_counted(len(failed), 'does', 'do')} not hold</strong>. "
        f"{_counted(len(stale), 'table')} fallen silent, "
        f"{_counted(sum(int(str(row[-1])) for row in rejects), 'row')} kept out, "
        f"{_counted(sum(int(str(row[-1])) for row in gaps), 'gap')} in the sources.</p>",
        "<h2>What does not hold</h2>",
        _failures(failed),
        "<h2>Every expectation</h2>",
        *(_tables(results) or ["<p>Nothing has been loaded yet.</p>"]),
        "<h2>Fallen silent</h2>",
        _table(
            ("source", "table", "newest fact", "days ago", "days that are normal", "silent"),
            ((*row[:-1], {True: "yes", False: "no"}.get(row[-1], "")) for row in freshness),
            numbers=(3, 4),
        ),
        "<h2>Rows kept out</h2>",
        _table(("source", "table", "field", "rule", "what to do", "rows"), rejects, numbers=(5,)),
        "<h2>Gaps in the sources</h2>",
        _table(("kind", "found"), gaps, numbers=(1,)),
        "<h2>Let through on a person's word</h2>",
        _table(("source", "reason", "at (UTC)"), accepted),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Data quality, {as_of}</title><style>{_STYLE}</style></head>\n"
        f"<body>{''.join(body)}</body></html>\n"
    )


Rows = Sequence[tuple[object, ...]]


def _files(lake: Path) -> list[str]:
    return [str(file) for file in sorted((lake / "quality" / "results").glob("*.parquet"))]


def _failures(failed: Sequence[Result]) -> str:
    if not failed:
        return '<p class="good">Every expectation holds.</p>'
    return _raw_table(
        ("source", "table", "expectation", "verdict", "rows at fault", "of rows", "what to do"),
        (
            (
                escape(r.source),
                escape(r.table),
                escape(_words(r.expectation)),
                r.verdict,
                f"{r.observed:,.0f}",
                f"{r.rows:,}",
                escape(r.message),
            )
            for r in sorted(failed, key=lambda r: (not r.is_blocking, r.source, r.table))
        ),
        numbers=(4, 5),
    )


def _tables(results: Sequence[Result]) -> list[str]:
    by_table: dict[tuple[str, str], list[Result]] = {}
    for result in results:
        by_table.setdefault((result.source, result.table), []).append(result)
    shown = []
    for (source, table), found in by_table.items():
        failed = [r for r in found if not r.passed]
        word = f'<span class="bad">{len(failed)} fail</span>' if failed else "all hold"
        checked = str(found[0].checked_at)[:16]
        rows = _raw_table(
            ("expectation", "verdict", "rows at fault", "in words"),
            (
                (
                    escape(_words(r.expectation)),
                    r.verdict,
                    f"{r.observed:,.0f}",
                    escape(r.message),
                )
                for r in found
            ),
            numbers=(2,),
        )
        shown.append(
            f"<details{' open' if failed else ''}><summary>{escape(source)}.{escape(table)}: "
            f"{_counted(len(found), 'expectation')}, {word}; {found[0].rows:,} rows, checked "
            f"{checked} UTC</summary>{rows}</details>"
        )
    return shown


def _table(
    head: Sequence[str], rows: Iterable[Sequence[object]], numbers: Sequence[int] = ()
) -> str:
    cells = [tuple("" if v is None else escape(_shown(v)) for v in row) for row in rows]
    return _raw_table(head, cells, numbers) if cells else "<p>None.</p>"


def _raw_table(
    head: Sequence[str], rows: Iterable[Sequence[str]], numbers: Sequence[int] = ()
) -> str:
    """A table of cells that are HTML already."""

    def cell(tag: str, place: int, text: str) -> str:
        scope = ' scope="col"' if tag == "th" else ""
        number = ' class="n"' if place in numbers else ""
        return f"<{tag}{scope}{number}>{text}</{tag}>"

    top = "".join(cell("th", i, escape(name)) for i, name in enumerate(head))
    lines = "".join(
        f"<tr>{''.join(cell('td', i, text) for i, text in enumerate(row))}</tr>" for row in rows
    )
    return f"<table><thead><tr>{top}</tr></thead><tbody>{lines}</tbody></table>"


def _shown(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _words(name: str) -> str:
    return name.replace("_", " ")


def _counted(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"
