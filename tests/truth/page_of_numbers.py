"""docs/read-the-numbers.md against the large company, whose rows it shows.

Belongs here: that the committed page is the one which the warehouse writes. Must not be here: how
it is written, see `read_the_numbers`. The name keeps this out of `make test`: the page is about the
large company, and `make truth` names the file.
"""

from __future__ import annotations

from difflib import unified_diff

import pytest

from tests.truth.conftest import Case
from tests.truth.read_the_numbers import (
    AS_OF,
    MODELS,
    PAGE,
    PageError,
    Rows,
    page_of,
    render,
    wrong_sums,
)
from tests.warehouse import Warehouse


def test_page_is_what_the_warehouse_says(case: Case, warehouse: Warehouse) -> None:
    config = case.world.config
    assert (config.size, config.seed) == ("demo", 1), "the page is about the demo company of seed 1"
    # Aside from the case's own warehouse, over the same lake: the page shows an earlier night.
    warehouse.forget()
    warehouse.build(" ".join(f"+{model}" for model in MODELS.split()), AS_OF.isoformat())
    written = page_of(warehouse.file, warehouse.lake)
    differs = unified_diff(PAGE.read_text().splitlines(), written.splitlines(), lineterm="")
    assert not (lines := list(differs)), "\n".join(lines)


def one_row(_: str) -> Rows:
    """An answer whatever was asked."""
    return Rows(["seats"], [["20"]])


def no_row(_: str) -> Rows:
    """None."""
    return Rows(["seats"], [])


def test_tables_and_quotations_come_from_the_answer() -> None:
    page = render("```sql its\nselect 1;\n```\n\n{{its.1.seats}} seats\n", one_row)
    assert page == "```sql\nselect 1;\n```\n\n| seats |\n| --- |\n| 20 |\n\n20 seats\n"


@pytest.mark.parametrize(
    ("template", "query", "message"),
    [
        ("```sql none\nselect 1;\n```\n", one_row, "No row may come"),
        ("```sql its\nselect 1;\n```\n", no_row, "gives no rows"),
        ("```sql its\nselect 1;\n```\n{{its.2.seats}}", one_row, "names no value"),
        ("`20 × 276.00 / 12 = 460.01`", one_row, "sums are wrong"),
    ],
)  # fmt: skip
def test_what_does_not_hold_is_not_written(template: str, query: object, message: str) -> None:
    assert callable(query)
    with pytest.raises(PageError, match=message):
        render(template, query)


def test_words_are_in_even_lines_and_code_in_one() -> None:
    word, code = "word " * 30, "`one two three four five six seven eight nine`"
    page = render(f"# Title {word}\n\n{word}\n{word}{code}\n- a\n- {word}\n", no_row)
    title, _, *lines = page.splitlines()
    assert title.startswith("# Title")
    assert len(title) > 130
    assert all(len(line) <= 130 for line in lines)
    assert sum(code in line for line in lines) == 1
    assert [line[:2] for line in lines[-3:]] == ["- ", "- ", "  "]


def test_sums_hold_to_the_last_digit() -> None:
    assert not wrong_sums("`4,164.15 × 1.10 = 4,580.57`, `1 − 2 / 3 = 0.333333`")
    assert wrong_sums("`4,164.15 × 1.10 = 4,580.55`")
    assert wrong_sums("`1 − 2 / 3 = 0.333332`")
