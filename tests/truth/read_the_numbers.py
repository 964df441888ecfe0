"""Writes docs/read-the-numbers.md: words from the template beside this file, rows from a warehouse.

Belongs here: how queries of the template become tables and how sums are verified. Must not be here:
what the page says, see `read_the_numbers.md`; that the committed page still holds, see
`page_of_numbers`.

`python -m tests.truth.read_the_numbers <warehouse file> [<lake folder>]` writes the page anew from
the large sample company as of `AS_OF`. In the template a fence of SQL says after `sql` what becomes
of the answer: a name for a table whose values `{{name.row.column}}` quotes, `none` where no row may
come, `unshown` where the rows are not the page's matter.
"""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb

#: The night that the page shows. A fixed one: what is told later may restate totals.
AS_OF = date(2026, 6, 30)
TEMPLATE = Path(__file__).with_suffix(".md")
PAGE = Path(__file__).resolve().parents[2] / "docs" / "read-the-numbers.md"
#: The marts that the page quotes, as dbt selects them.
MODELS = (
    "fct_account_months fct_mrr_movements fct_contract_terms fct_job_changes fct_risk_assessments"
    " month_closes renewals departure_drivers renewal_calendar churn_risk revenue_retention"
    " cohort_retention customer_value"
)

FENCE = re.compile(r"^```sql (\w+)\n(.*?)^```\n", re.MULTILINE | re.DOTALL)
QUOTE = re.compile(r"\{\{(\w+)\.(\d+)\.(\w+)\}\}")
FENCED = re.compile(r"(^```.*?^```\n)", re.MULTILINE | re.DOTALL)
#: Lines of words up to a blank line or the next item; neither headings nor tables.
PARAGRAPH = re.compile(r"^(?:- )?[^\n|#-][^\n]*(?:\n(?!- )[^\n|#][^\n]*)*", re.MULTILINE)
WIDTH = 130
SUM = re.compile(r"`([\d.,()×/+− ]+) = (−?[\d.,]+)`")


class PageError(ValueError):
    """The page cannot be written: a query, a quotation or a sum of the template does not hold."""


@dataclass(frozen=True)
class Rows:
    """What a query answered.

    Attributes:
        columns: their names.
        values: row by row, as they are shown.
    """

    columns: list[str]
    values: list[list[str]]

    def table(self) -> str:
        """The rows as a table of the page."""
        lines = [self.columns, ["---"] * len(self.columns), *self.values]
        return "".join(f"| {' | '.join(line)} |\n" for line in lines)

    def value(self, row: int, column: str) -> str:
        """One value; rows count from one."""
        return self.values[row - 1][self.columns.index(column)]


Query = Callable[[str], Rows]


def render(template: str, query: Query) -> str:
    """The page.

    Args:
        template: words, queries and quotations.
        query: answers SQL.

    Raises:
        PageError: a query gives no rows, or rows where none may come; a quotation names what no
            query gave; a sum is wrong.
    """
    found: dict[str, Rows] = {}

    def answer(match: re.Match[str]) -> str:
        name, sql = match.groups()
        shown = f"```sql\n{sql}```\n"
        for statement in sql.rstrip().removesuffix(";").split(";\n"):
            rows = query(statement)
            if name == "none" and rows.values:
                raise PageError(f"No row may come, {len(rows.values)} came of:\n{statement}")
        if name in ("none", "unshown"):
            return shown
        if not rows.values:
            raise PageError(f"The query {name} gives no rows:\n{sql}")
        found[name] = rows
        return f"{shown}\n{rows.table()}"

    def quote(match: re.Match[str]) -> str:
        name, row, column = match.groups()
        try:
            return found[name].value(int(row), column)
        except (KeyError, IndexError, ValueError) as error:
            raise PageError(f"{match.group()} names no value of a query of the page.") from error

    page = QUOTE.sub(quote, FENCE.sub(answer, template))
    if wrong := wrong_sums(page):
        raise PageError("These sums are wrong: " + "; ".join(wrong))
    return wrapped(page)


def wrapped(page: str) -> str:
    """The page with its words in lines of even length, as quotations have made them uneven."""
    pieces = FENCED.split(page)
    return "".join(piece if piece.startswith("```") else _paragraphs(piece) for piece in pieces)


def _paragraphs(words: str) -> str:
    def fill(match: re.Match[str]) -> str:
        words = " ".join(match.group().split())
        # What is code stays in one line, to be found and copied.
        kept = re.sub(r"`[^`]+`", lambda code: code.group().replace(" ", "\0"), words)
        lines = textwrap.wrap(
            kept, WIDTH, subsequent_indent="  " if words.startswith("- ") else "",
            break_on_hyphens=False, break_long_words=False,
        )  # fmt: skip
        return "\n".join(lines).replace("\0", " ")

    return PARAGRAPH.sub(fill, words)


def wrong_sums(page: str) -> list[str]:
    """Sums in backticks whose result is not that of their left side, to the last digit shown."""
    wrong = []
    for match in SUM.finditer(page):
        left, right = (side.replace(",", "") for side in match.groups())
        left = left.replace("×", "*").replace("−", "-")
        stated = Decimal(right.replace("−", "-"))
        (exact,) = duckdb.execute(f"select cast({left} as double)").fetchone() or (None,)
        last_digit = Decimal(1).scaleb(int(stated.as_tuple().exponent))
        # A hair above one half: what is halfway may be rounded either way.
        if abs(exact - float(stated)) > 0.501 * float(last_digit):
            wrong.append(f"{match.group()} (is {exact:.6f})")
    return wrong


def shown(value: object) -> str:
    """A value as the page shows it."""
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case int():
            return f"{value:,}"
        case Decimal():
            places = max(2, -int(value.normalize().as_tuple().exponent))
            return f"{value:,.{places}f}"
        case float():
            return f"{value:,.6f}".rstrip("0").rstrip(".")
        case _:
            return str(value)


def querying(warehouse: Path, lake: Path) -> tuple[duckdb.DuckDBPyConnection, Query]:
    """A connection to a warehouse, and what answers queries that name the files of its lake.

    The answering function raises PageError for a query that the warehouse cannot answer.

    Raises:
        PageError: there is no such warehouse or lake.
    """
    for place in (warehouse, lake):
        if not place.exists():
            raise PageError(f"{place} does not exist.")
    if lake.name != "lake":
        raise PageError(f"{lake}: queries of the page read lake/, so the folder must be named so.")
    connection = duckdb.connect(str(warehouse), read_only=True)
    connection.execute("set timezone = 'UTC'")
    connection.execute("set file_search_path = $1", [str(lake.resolve().parent)])

    def query(sql: str) -> Rows:
        try:
            answer = connection.execute(sql)
        except duckdb.Error as error:
            raise PageError(f"{error}\nin the query:\n{sql}") from error
        columns = [str(column[0]) for column in answer.description or []]
        return Rows(columns, [[shown(value) for value in row] for row in answer.fetchall()])

    return connection, query


def page_of(warehouse: Path, lake: Path) -> str:
    """The page as a warehouse and its lake say it."""
    connection, query = querying(warehouse, lake)
    with connection:
        return render(TEMPLATE.read_text(), query)


def main(words: list[str]) -> int:
    """Write the page; the lake is by default the one beside the warehouse's folder."""
    if len(words) not in (1, 2):
        print((__doc__ or "").split("\n\n")[2], file=sys.stderr)
        return 2
    warehouse = Path(words[0])
    lake = Path(words[1]) if len(words) == 2 else warehouse.resolve().parents[1] / "lake"
    try:
        PAGE.write_text(page_of(warehouse, lake))
    except PageError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
