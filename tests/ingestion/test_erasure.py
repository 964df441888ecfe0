"""A person who is erased is found in no file, counts as before, and stays away."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ingestion import erasure, landing, schemas
from ingestion.billing import stripe
from ingestion.cli import main
from ingestion.crm import salesforce
from ingestion.desk import files
from ingestion.lake import Lake
from ingestion.landing import Landing
from ingestion.reports import LoadReport
from ingestion.settings import DeskSettings, Settings
from ingestion.suppression import Suppression
from publishing import erase as published_erase
from tests.ingestion.conftest import LOAD, NOW, Serve, silent

AT = "2026-01-01T00:00:00Z"
BASE = {"is_deleted": False, "created_date": AT, "system_modstamp": AT, "_version_at": AT}
# One person at two employers, a namesake, and a colleague whose address ends like theirs.
PEOPLE = [
    {"id": "003000000000001AAA", "account_id": "a1", "first_name": "Zdenka",
     "last_name": "Quillfeather", "email": "zq@old.example"},
    {"id": "003000000000002AAA", "account_id": "a2", "first_name": "Zdenka",
     "last_name": "Quillfeather", "email": "zdenka.q@new.example",
     "former_contact_id__c": "003000000000001AAA"},
    {"id": "003000000000003AAA", "account_id": "a2", "first_name": "Zdenka",
     "last_name": "Other", "email": "azq@old.example"},
]  # fmt: skip
COLLEAGUE = "azq@old.example"
SECRETS = ("Quillfeather", "zq@old.example", "zdenka.q@new.example", "+44 20 7946 0958")


def _land(lake: Lake, source: str, name: str, rows: list[dict[str, Any]]) -> None:
    landing.begin(lake, source)
    batch = Landing(lake, source, "run", LoadReport(source))
    batch.add(schemas.table(source, name), rows)
    batch.flush()


@pytest.fixture
def filled(lake: Lake) -> Lake:
    """A lake in which the person stands in records, billing, events, lists and rejects."""
    _land(lake, "salesforce", "contact", [BASE | p for p in PEOPLE])
    _land(
        lake, "salesforce", "opportunity",
        [BASE | {"id": "006A", "account_id": "a1", "name": "Zdenka Quillfeather wants it"}],
    )  # fmt: skip
    from ingestion import privacy

    _land(
        lake,
        "stripe",
        "customers",
        [
            {"id": "cus_1", "deleted": False, "name": "Old Ltd", "_version_at": AT,
             "email_hash": privacy.hash_email("zq@old.example"),
             "metadata": {"tel": "+44 20 7946 0958", "who": "zq@old.example"}},
            {"id": "cus_2", "deleted": False, "name": "Zdenka Quillfeather", "_version_at": AT,
             "email_hash": privacy.hash_email("zdenka.q@new.example"), "metadata": {}},
        ],
    )  # fmt: skip
    _land(
        lake, "usage", "events",
        [
            {"message_id": f"m{i}", "event": "x", "event_at": AT, "received_at": AT,
             "user_id": user, "event_on": "2026-01-01",
             "properties": {"email": user, "name": "Zdenka Quillfeather"}}
            for i, user in enumerate(["zdenka.q@new.example", "ZQ@old.example", "azq@old.example"])
        ],
    )  # fmt: skip
    left = lake.work / "salesforce-left"
    left.mkdir(parents=True)
    (left / "rows.jsonl").write_text("zq@old.example")
    return lake


def _everything(*places: Path) -> Iterator[tuple[Path, str]]:
    """Every file as bytes, and every table in it as text."""
    for place in places:
        for path in place.rglob("*"):
            if not path.is_file():
                continue
            yield path, path.read_bytes().decode("latin-1")
            if path.suffix == ".parquet":
                with pq.ParquetFile(path) as file:
                    yield path, str(file.read().to_pylist())
            elif path.suffix == ".duckdb":
                with duckdb.connect(str(path), read_only=True) as con:
                    for schema, name in con.execute(
                        "select schema_name, table_name from duckdb_tables()"
                    ).fetchall():
                        rows = con.execute(f'select * from "{schema}"."{name}"').fetchall()
                        yield path, str(rows)


def _found(*places: Path, secrets: tuple[str, ...] = SECRETS) -> set[str]:
    """Secrets that are met anywhere; the colleague's address, which ends like one, is another."""
    texts = [text.lower().replace(COLLEAGUE, "") for _, text in _everything(*places)]
    return {s for s in secrets if any(s.lower() in text for text in texts)}


def _erase(lake: Lake) -> erasure.Outcome:
    return erasure.erase(
        lake, ["003000000000001AAA"], also=[SECRETS[3]], as_of=NOW, progress=silent
    )


def test_no_value_is_left_and_nobody_else_is_touched(filled: Lake) -> None:
    home = filled.root.parent
    assert _found(home) == set(SECRETS)
    before = {t: filled.read(*t).num_rows for t in erasure._tables(filled)}
    done = _erase(filled)
    assert _found(home) == set()
    assert set(done.contacts) == {"003000000000001AAA", "003000000000002AAA"}
    assert {t: filled.read(*t).num_rows for t in before} == before
    people = {r["id"]: r for r in filled.read("salesforce", "contact").to_pylist()}
    assert people["003000000000003AAA"]["email"] == "azq@old.example"
    assert people["003000000000003AAA"]["first_name"] == "Zdenka"
    old, new = people["003000000000001AAA"], people["003000000000002AAA"]
    assert old["email"] == new["email"] != ""
    assert old["account_id"] == "a1"
    users = filled.read("usage", "events", "select * from t order by message_id")["user_id"]
    assert users.to_pylist() == [old["email"], old["email"], "azq@old.example"]
    names = filled.read("stripe", "customers", "select * from t order by id")["name"].to_pylist()
    assert names[0] == "Old Ltd"


def test_names_beyond_ascii_are_met_as_json_writes_them(lake: Lake) -> None:
    person = PEOPLE[0] | {"first_name": "Élodie", "last_name": "Ångström-O'Neil"}
    _land(lake, "salesforce", "contact", [BASE | person])
    said = '{"who": "\\u00c9lodie \\u00c5ngstr\\u00f6m-O\'Neil", "also": "Élodie Ångström-O\'Neil"}'
    row = {"message_id": "m1", "event": "x", "event_at": AT, "received_at": AT,
           "event_on": "2026-01-01", "properties": said}  # fmt: skip
    _land(lake, "usage", "events", [row])
    _erase(lake)
    left = lake.read("usage", "events")["properties"].to_pylist()[0]
    assert "ngstr" not in left
    assert left.count("erased-") == 2


def test_again_it_changes_nothing(filled: Lake) -> None:
    _erase(filled)
    stamps = {p: p.stat().st_mtime_ns for p in filled.root.rglob("*.parquet")}
    assert _erase(filled).files == 0
    assert {p: p.stat().st_mtime_ns for p in filled.root.rglob("*.parquet")} == stamps


@pytest.mark.parametrize("kill_at", range(5))
def test_killed_between_two_files_it_goes_on(
    filled: Lake, kill_at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = 0

    def write(rows: pa.Table, path: Path) -> None:
        nonlocal written
        if written == kill_at:
            raise KeyboardInterrupt
        written += 1
        real(rows, path)

    real = erasure.write_parquet
    monkeypatch.setattr(erasure, "write_parquet", write)
    with pytest.raises(KeyboardInterrupt):
        _erase(filled)
    assert erasure.settled(filled) == []
    monkeypatch.setattr(erasure, "write_parquet", real)
    _erase(filled)
    assert _found(filled.root) == set()
    assert len(erasure.settled(filled)) == 2
    emails = filled.read("salesforce", "contact", "select distinct email from t")
    assert emails.num_rows == 2


def test_a_later_delivery_is_redacted(filled: Lake) -> None:
    _erase(filled)
    later = "2026-03-01T00:00:00Z"
    fresh = {"system_modstamp": later, "_version_at": later}
    again = [BASE | p | fresh for p in PEOPLE]
    again.append(again[0] | {"id": "003000000000004AAA", "former_contact_id__c": None})
    _land(filled, "salesforce", "contact", again)
    assert _found(filled.root, secrets=SECRETS[:3]) == set()
    rows = filled.read("salesforce", "contact", f"select * from t where _version_at = '{later}'")
    kept = [r for r in rows.to_pylist() if r["id"] == "003000000000003AAA"]
    assert kept[0]["last_name"] == "Other"
    raw = (filled.root / "erasures" / "suppressed.jsonl").read_text()
    assert not any(p["id"] in raw for p in PEOPLE)
    assert Suppression(filled).pseudonym_of("azq@old.example") is None


def test_the_desk_s_list_is_worked_off(filled: Lake, tmp_path: Path) -> None:
    desk = tmp_path / "desk"
    desk.mkdir()
    asked = "contact_id,requested_on\n003000000000002AAA,2026-04-01\n003UNKNOWN,2026-04-02\n"
    (desk / "erasure_requests.csv").write_text(asked)
    report = files.run(Settings(desk, "test", desk=DeskSettings(desk)), filled, **LOAD)
    assert report.rejects == 0
    assert erasure.pending(filled) == ["003000000000002AAA", "003UNKNOWN"]
    done = erasure.run_pending(filled, as_of=NOW, progress=silent)
    assert len(done.contacts) == 3
    assert erasure.pending(filled) == []
    assert _found(filled.root, secrets=SECRETS[:3]) == set()


def test_the_company_forgets_one_of_its_contacts_and_loads_on(
    lake: Lake, serve: Serve, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with serve() as (company, settings):
        for source in (salesforce, stripe):
            source.run(settings, lake, **LOAD)
        shown = lake.read(
            "salesforce", "contact",
            "select id, email, first_name || ' ' || last_name as name from t "
            "where email is not null and email in (select email from t group by 1 having "
            "count(distinct id) = 1) and last_name is not null order by id limit 1",
        ).to_pylist()[0]  # fmt: skip
        secrets = (shown["email"], shown["name"])
        further = tmp_path / "further"
        further.write_text("+1 415 555 0134\n")
        assert main(["erase", "--contact", shown["id"], "--email-file", str(further)]) == 0
        company.set_now(NOW + timedelta(days=9))
        later = LOAD | {"as_of": NOW + timedelta(days=9)}
        salesforce.reset(settings, lake, resource="Contact", run_id="hand")
        salesforce.run(settings, lake, **later)
    said = capsys.readouterr().out
    assert not any(s in said for s in secrets)
    assert "settled" in said
    emails = lake.read("salesforce", "contact", f"select * from t where id = '{shown['id']}'")
    assert set(emails["email"].to_pylist()) == {
        f"{Suppression(lake).pseudonym_of(shown['id'])}@erased.invalid"
    }
    assert secrets[0] not in _found(lake.root, secrets=secrets)


def test_published_nights_and_warehouse_forget_too(filled: Lake, tmp_path: Path) -> None:
    home = filled.root.parent
    warehouse = home / "warehouse" / "tenure.duckdb"
    warehouse.parent.mkdir()
    with duckdb.connect(str(warehouse)) as con:
        con.execute("create schema core")
        con.execute("create table core.dim_people as select * from (values (?, ?, ?))",
                    ["003000000000001AAA", "Zdenka Quillfeather", "zq@old.example"])  # fmt: skip
    _erase(filled)
    people = erasure.settled(filled)
    assert published_erase.erased_people(filled.root) == people
    assert published_erase.reset_warehouse(warehouse, people)
    assert not warehouse.exists()
    assert _found(home) == set()
    warehouse.write_bytes(b"built anew")
    assert not published_erase.reset_warehouse(warehouse, people)
