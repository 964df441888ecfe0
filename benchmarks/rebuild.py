"""Models rebuilt in full, by dbt and by DuckDB alone, at sizes that differ a hundredfold.

A company is lived through, landed and built; larger ones are that company many times over, under
other keys. So each copy repeats the dates, prices and amounts of the first, and in whatever is
ranked there are more ties than in life. A size counts accounts ever under contract.

Belongs here: how a scope is found, measured, checked and reported. Must not be here: which models,
nor how processes are measured.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from benchmarks import build, company, copies, growth
from benchmarks.plain import Model, Place, by_duckdb
from benchmarks.process import Measured, measured
from orchestration.dbt import load_manifest

SIZES = (1_000, 10_000, 100_000)
#: The largest company that is lived through and landed; larger ones are copies.
LARGEST_SEED = 1_000
TARGET = "targets at 10,000 accounts: 60 s, 4 GB, 1.5 times plain DuckDB; growth about 1"

#: How many there are, whatever is rebuilt.
ACCOUNTS = "count(distinct account_id) from core.fct_account_months"

#: Schemas of what sources, people and nights put down.
_PUT_DOWN = frozenset({"staging", "seeds"})
_SLOWEST = 5


@dataclass(frozen=True)
class Rebuild:
    """What is measured.

    Attributes:
        title: in the report.
        asked: what a rebuild is asked for; beginnings of paths under `dbt_project/`.
        given: what it does not reach beneath; the same.
        facts: what must come out as many times as there are copies; each the rest of a `select`.
        nothing: what must come out as nothing; the same.
    """

    title: str
    asked: tuple[str, ...]
    given: tuple[str, ...]
    facts: Mapping[str, str]
    nothing: Mapping[str, str]


@dataclass(frozen=True)
class Scope:
    """What is rebuilt and what is given, each a schema and a name."""

    rebuilt: tuple[tuple[str, str], ...]
    given: tuple[tuple[str, str], ...]

    @property
    def names(self) -> list[str]:
        """Names of the models that are rebuilt."""
        return [name for _, name in self.rebuilt]

    @property
    def built(self) -> list[str]:
        """Names of the models that follow from what sources, people and nights put down."""
        return self.names + [name for schema, name in self.given if schema not in _PUT_DOWN]


@dataclass(frozen=True)
class Size:
    """What came of one size.

    Attributes:
        accounts: ever under contract.
        rows: by table.
        dbt: the rebuild.
        duckdb: the same statements without dbt, and the processor seconds of each.
    """

    accounts: int
    rows: Mapping[str, int]
    dbt: Measured[list[Model]]
    duckdb: Measured[dict[str, float]]


def run(rebuild: Rebuild, sizes: Sequence[int], folder: Path) -> Iterator[str]:
    """Measure the sizes, the smallest first; yields the lines of the report as they are known.

    Args:
        rebuild: what is measured.
        sizes: accounts ever under contract, about; of each a whole number of companies is made.
        folder: an empty folder to work in; the largest size takes about 500 kB an account there,
            most of it for what does not fit into memory.

    Raises:
        AssertionError: what was built is not that many times what one company has.
        RuntimeError: dbt could not build.
    """
    scope = find_scope(load_manifest(), rebuild.asked, rebuild.given)
    yield (f"{rebuild.title}: {len(scope.rebuilt)} models rebuilt, {len(scope.given)} tables given")
    first = measured(
        company.land_and_build, folder / "company", min(*sizes, LARGEST_SEED), scope.built
    )
    source = first.result
    accounts = _count(source, {"accounts": ACCOUNTS})["accounts"]
    yield (
        f"a company of {accounts:,} accounts, {company.START:%Y} to "
        f"{company.LAST_DAY:%Y}, landed and built in {first.seconds:.0f} s"
    )
    yield ""
    yield _HEAD
    done: list[Size] = []
    for many in sorted({max(1, round(size / int(accounts))) for size in sizes}):
        one = _measure(rebuild, scope, source, folder / str(many), many)
        yield _line(one, done[-1] if done else None)
        done.append(one)
    yield f"({TARGET})"
    yield ""
    yield from _largest(done)
    yield ""
    yield from _slowest(done)
    if len(done) > 1:
        yield ""
        yield from _growth(done)


def find_scope(
    manifest: Mapping[str, Any], asked: tuple[str, ...], given: tuple[str, ...]
) -> Scope:
    """Work out of dbt's manifest what is rebuilt for the models asked, and what that reads.

    Args:
        manifest: dbt's.
        asked: beginnings of paths of what is asked for.
        given: beginnings of paths of what is not reached beneath; goes before `asked`.
    """
    nodes = {
        key: node
        for key, node in manifest["nodes"].items()
        if node["resource_type"] in {"model", "seed"}
    }
    waiting = [key for key, node in nodes.items() if node["original_file_path"].startswith(asked)]
    rebuilt: set[str] = set()
    read: set[str] = set()
    while waiting:
        key = waiting.pop()
        if nodes[key]["original_file_path"].startswith(given):
            read.add(key)
        elif key not in rebuilt:
            rebuilt.add(key)
            waiting += [parent for parent in manifest["parent_map"][key] if parent in nodes]
    return Scope(_tables(nodes, rebuilt), _tables(nodes, read))


def _tables(nodes: Mapping[str, Any], keys: set[str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((nodes[key]["schema"], nodes[key]["name"]) for key in keys))


def _measure(rebuild: Rebuild, scope: Scope, source: Path, folder: Path, many: int) -> Size:
    """Rebuild a company so many times over, with dbt and without; leaves nothing behind."""
    with_dbt = Place(folder / "dbt", company.LAST_DAY)
    without = Place(folder / "duckdb", company.LAST_DAY)
    for place in (with_dbt, without):
        place.folder.mkdir(parents=True)
    measured(copies.copy_tables, source, with_dbt.database, scope.given, many)
    shutil.copyfile(with_dbt.database, without.database)
    dbt = measured(build.by_dbt, with_dbt, "run", scope.names)
    plain = measured(by_duckdb, without, dbt.result, build.profile_settings())
    for place in (with_dbt, without):
        _check(rebuild, source, place.database, many)
    accounts = int(_count(with_dbt.database, {"accounts": ACCOUNTS})["accounts"])
    rows = _rows(with_dbt.database)
    shutil.rmtree(folder)
    return Size(accounts, rows, dbt, plain)


def _check(rebuild: Rebuild, source: Path, database: Path, many: int) -> None:
    """Hold what was built against the company that was copied."""
    one, all_copies = _count(source, rebuild.facts), _count(database, rebuild.facts)
    wrong = [
        f"{fact}: {all_copies[fact]:,} instead of {many} x {figure:,}"
        for fact, figure in one.items()
        if all_copies[fact] != figure * many or not figure
    ]
    left = _count(database, rebuild.nothing)
    wrong += [f"{fact}: {figure:,} instead of none" for fact, figure in left.items() if figure]
    if wrong:
        raise AssertionError("the work was not done:\n" + "\n".join(wrong))


def _count(database: Path, facts: Mapping[str, str]) -> dict[str, Decimal]:
    with duckdb.connect(str(database), read_only=True) as connection:
        return {
            fact: connection.execute(f"select {sql}").fetchall()[0][0]
            for fact, sql in facts.items()
        }


def _rows(database: Path) -> dict[str, int]:
    sql = "select schema_name || '.' || table_name, estimated_size from duckdb_tables()"
    with duckdb.connect(str(database), read_only=True) as connection:
        return dict(connection.execute(sql).fetchall())


_HEAD = (
    f"{'accounts':>9} {'seconds':>9} {'cpu s':>9} {'peak GB':>9} | "
    f"{'duckdb s':>9} {'cpu s':>9} {'peak GB':>9} | {'ratio':>6} {'growth':>7}"
)


def _line(size: Size, smaller: Size | None) -> str:
    """A size, and how processor seconds grew from the one before, should the next never end."""

    def shown(one: Measured[Any]) -> str:
        gigabytes = one.peak_bytes / 1e9
        return f"{one.seconds:>9.1f} {one.cpu_seconds:>9.1f} {gigabytes:>9.2f}"

    ratio = size.dbt.seconds / size.duckdb.seconds
    grown = ""
    if smaller:
        before = (float(smaller.accounts), smaller.dbt.cpu_seconds)
        grown = f"{growth.exponent(before, (float(size.accounts), size.dbt.cpu_seconds)):>8.2f}"
    return f"{size.accounts:>9,} {shown(size.dbt)} | {shown(size.duckdb)} | {ratio:>6.2f}{grown}"


def _largest(sizes: Sequence[Size]) -> Iterator[str]:
    times = [{table: float(rows) for table, rows in size.rows.items()} for size in sizes]
    yield "Largest tables, rows"
    for table, rows in growth.ranked(times, _SLOWEST):
        yield f"  {table:<48}" + "".join(f"{row or 0:>13,.0f}" for row in rows)


def _slowest(sizes: Sequence[Size]) -> Iterator[str]:
    times = [size.duckdb.result for size in sizes]
    shown = {name: None for time in times for name, _ in growth.ranked([time], _SLOWEST)}
    yield "Slowest models, processor seconds of their statements alone"
    for name in sorted(shown, key=lambda one: times[-1][one], reverse=True):
        figures = [time[name] for time in times]
        yield f"  {name:<48}" + "".join(f"{figure:>13.2f}" for figure in figures)


def _growth(sizes: Sequence[Size]) -> Iterator[str]:
    accounts = [float(size.accounts) for size in sizes]
    yield "Growth exponents, size to size"
    for name, figures in {
        "seconds": [size.dbt.seconds for size in sizes],
        "cpu seconds": [size.dbt.cpu_seconds for size in sizes],
        "peak memory": [float(size.dbt.peak_bytes) for size in sizes],
        "seconds of DuckDB alone": [size.duckdb.seconds for size in sizes],
    }.items():
        yield _grown(name, accounts, figures)
    times = [size.duckdb.result for size in sizes]
    grown = {
        name: growth.exponents(accounts[-2:], [times[-2][name], last])[0]
        for name, last in times[-1].items()
    }
    long = [name for name, last in times[-1].items() if last > 0.01 * sum(times[-1].values())]
    yield "Fastest growing of the models that take over a hundredth of the time"
    for name in sorted(long, key=lambda one: grown[one], reverse=True)[:_SLOWEST]:
        yield _grown(name, accounts, [time[name] for time in times])


def _grown(name: str, accounts: Sequence[float], figures: Sequence[float]) -> str:
    exponents = growth.exponents(accounts, figures)
    return f"  {name:<48}" + " " * 13 + "".join(f"{one:>13.2f}" for one in exponents)
