"""People are told how a night went, once; receivers that are down, slow or refuse do no harm."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import dagster as dg
import duckdb
import pytest
from pydantic import SecretStr

from orchestration import alerts, delivery, digest, night
from orchestration.delivery import AlertSettings, AlertSettingsError, Mail
from orchestration.jobs import NIGHTLY
from publishing.headlines import NewRisk, new_risks
from publishing.publish import MartContract, publish
from tests.orchestration.receivers import MailServer, Webhook, running

AS_OF = date(2026, 1, 31)
RISK = NewRisk(
    "Acme Ltd", Decimal("12000"), 45, 0.4832, Decimal("5798.40"), "New: the champion left.", False
)
MARTS = {
    "account_id": "varchar",
    "account_name": "varchar",
    "arr_usd": "decimal(18,2)",
    "days_to_renewal": "bigint",
    "p_lost_next_renewal": "double",
    "expected_loss_arr_usd": "decimal(18,2)",
    "why_today": "varchar",
    "new_flags": "varchar",
    "has_plan_owner": "boolean",
    "priority_rank": "bigint",
}


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries follow each other at once."""
    monkeypatch.setattr(delivery, "_WAITS", (0.0, 0.0))


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    server = Webhook()
    with running(server):
        yield server


@pytest.fixture
def mail_server() -> Iterator[MailServer]:
    server = MailServer()
    with running(server):
        yield server


@pytest.fixture
def settings(webhook: Webhook, mail_server: MailServer) -> AlertSettings:
    """Both ways, to local receivers."""
    return AlertSettings(SecretStr(webhook.url), mail_to(mail_server))


def mail_to(server: MailServer) -> Mail:
    address = f"smtp://tenure:p%40ss@{server.address}"
    return Mail(SecretStr(address), "tenure@vendor.com", ("cs@vendor.com", "cfo@vendor.com"))


def publish_watchlist(tmp_path: Path, *rows: str, run_id: str = "run1") -> Path:
    """A published night whose one mart is the watchlist; returns the folder of nights."""
    warehouse = tmp_path / "tenure.duckdb"
    declared = ", ".join(f"{name} {kind}" for name, kind in MARTS.items())
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("create schema if not exists renewals")
        connection.execute(f"create or replace table renewals.watchlist ({declared})")
        for row in rows:
            connection.execute(f"insert into renewals.watchlist values ({row})")
    contract = MartContract("renewals", "watchlist", MARTS)
    publish(warehouse, tmp_path / "published", [contract], as_of=AS_OF, run_id=run_id)
    return tmp_path / "published"


SECOND = "'a', 'Second', 10, 5, .2, 2, 'New: past due by a week.', 'past_due', true, 2"
FIRST = (
    "'b', 'First', 90, 9, .5, 45, 'New: the risk became high.',"
    " 'due_in_30_days; band_became_high', false, 1"
)
CALM = "'c', 'Calm', 90, 30, .5, 45, 'New: due in 30 days.', 'due_in_30_days', false, 3"
QUIET = "'d', 'Quiet', 90, 30, .5, 45, null, null, false, 4"


def test_both_ways_get_the_digest_once(
    settings: AlertSettings, webhook: Webhook, mail_server: MailServer, tmp_path: Path
) -> None:
    published = publish_watchlist(tmp_path, SECOND, FIRST, CALM, QUIET)
    done = alerts.tell_digest(settings, published, "run1", ["scores/history: drift"])
    assert [(d.way, d.error) for d in done] == [("webhook", None), ("mail", None)]
    (posted,), (mail,) = webhook.received, mail_server.received
    assert set(posted) == {"text"}
    lines = posted["text"].splitlines()
    assert lines[0] == "Tenure, night of 2026-01-31: 2 new risks, 1 check did not hold."
    assert lines[1] == "$100 ARR, of which $47 is expected to be lost."
    assert lines[2] == (
        "• First: $90 ARR, due in 9 days, 50% likely to be lost, nobody accountable for a plan. "
        "New: the risk became high."
    )
    assert lines[3].startswith("• Second: $10 ARR, due in 5 days, 20% likely to be lost. ")
    assert lines[4:] == ["Checks that did not hold:", "• scores/history: drift"]
    assert mail["Subject"] == "Tenure, night of 2026-01-31: 2 new risks, 1 check did not hold"
    assert mail["To"] == "cs@vendor.com, cfo@vendor.com"
    assert mail.get_content().splitlines() == lines
    assert mail_server.logins == 1
    # The night is run again and nothing has changed: nobody hears of it.
    publish_watchlist(tmp_path, SECOND, FIRST, CALM, QUIET, run_id="run2")
    assert alerts.tell_digest(settings, published, "run2", ["scores/history: drift"]) == []
    # It is run again and finds otherwise: that is news.
    publish_watchlist(tmp_path, FIRST, CALM, QUIET, run_id="run3")
    assert len(alerts.tell_digest(settings, published, "run3", [])) == 2
    assert (len(webhook.received), len(mail_server.received)) == (2, 2)


def test_what_did_not_arrive_is_said_and_tried_again(
    settings: AlertSettings, webhook: Webhook, mail_server: MailServer, tmp_path: Path
) -> None:
    published = publish_watchlist(tmp_path, FIRST)
    webhook.status = 500
    done = alerts.tell_digest(settings, published, "run1", [])
    assert alerts.undelivered(done) == ["The webhook did not get the message: answered 500."]
    webhook.status = 200
    done = alerts.tell_digest(settings, published, "run1", [])
    assert [(d.way, d.error) for d in done] == [("webhook", None)]
    assert len(mail_server.received) == 1


def test_a_receiver_in_trouble_is_asked_again_and_one_that_refuses_is_not(
    webhook: Webhook, mail_server: MailServer
) -> None:
    to_webhook = AlertSettings(SecretStr(webhook.url))
    webhook.statuses = [503, 429]
    assert delivery.deliver(to_webhook, "webhook", "s", "t").error is None
    assert len(webhook.received) == 3
    for status in (404, 302):
        webhook.received.clear()
        webhook.statuses = [status]
        assert delivery.deliver(to_webhook, "webhook", "s", "t").error == f"answered {status}"
        assert len(webhook.received) == 1
    mail_server.refused = {"cfo@vendor.com"}
    done = delivery.deliver(AlertSettings(None, mail_to(mail_server)), "mail", "s", "t")
    assert alerts.undelivered([done]) == [
        "The mail got the message, but 1 of 2 receivers were refused."
    ]
    (mail,) = mail_server.received
    assert (mail["Auto-Submitted"], mail["Message-ID"][-12:]) == ("auto-generated", "@vendor.com>")
    assert mail["Date"]


def test_a_slow_receiver_is_not_waited_for(
    webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "_TIMEOUT_SECONDS", 0.2)
    webhook.delay_seconds = 2
    began = time.monotonic()
    done = delivery.deliver(AlertSettings(SecretStr(webhook.url)), "webhook", "subject", "text")
    assert time.monotonic() - began < 1.5
    assert done.error == "did not answer within 0.2 s"


def test_receivers_that_are_down_or_refuse_are_named_without_their_secrets(
    mail_server: MailServer,
) -> None:
    nowhere = AlertSettings(
        SecretStr("http://127.0.0.1:9/hook/s3cret"),
        Mail(SecretStr("smtp://tenure:s3cret@127.0.0.1:9"), "a@b.c", ("d@e.f",)),
    )
    for way in delivery.ways(nowhere):
        done = delivery.deliver(nowhere, way, "subject", "text")
        assert done.error == "cannot be reached"
    assert "s3cret" not in repr(nowhere)
    mail_server.refusal = b"550 no mail from you\r\n"
    done = delivery.deliver(AlertSettings(None, mail_to(mail_server)), "mail", "subject", "text")
    assert done.error == "answered 550"


def test_beyond_this_machine_mail_is_encrypted_or_not_sent(
    mail_server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "_LOCAL", ())
    done = delivery.deliver(AlertSettings(None, mail_to(mail_server)), "mail", "subject", "text")
    assert done.error is not None
    assert (mail_server.logins, mail_server.received) == (0, [])


def test_without_settings_nothing_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (delivery.WEBHOOK, delivery.MAIL_TO, delivery.MAIL_FROM, delivery.SMTP):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("TENURE_ENV_FILE", raising=False)
    none = delivery.load_settings(tmp_path)
    assert delivery.ways(none) == []
    assert alerts.tell_failure(none, "nightly", "text") == []
    published = publish_watchlist(tmp_path, FIRST)
    assert alerts.tell_digest(none, published, "run1", []) == []


def test_settings_come_from_the_file_and_are_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TENURE_ENV_FILE", raising=False)
    (tmp_path / "tenure.env").write_text(
        "TENURE_ALERT_WEBHOOK=https://hooks.vendor.com/s3cret\n"
        "TENURE_ALERT_MAIL_TO=a@vendor.com, b@vendor.com\n"
        "TENURE_ALERT_MAIL_FROM=tenure@vendor.com\n"
        "TENURE_ALERT_SMTP=smtps://tenure:s3cret@mail.vendor.com\n"
    )
    found = delivery.load_settings(tmp_path)
    assert delivery.ways(found) == ["webhook", "mail"]
    assert found.mail is not None
    assert found.mail.receivers == ("a@vendor.com", "b@vendor.com")
    for name, value, words in (
        (delivery.WEBHOOK, "hooks.vendor.com/s3cret", "cannot be read. Write it as https"),
        (delivery.SMTP, "mail.vendor.com:s3cret", "cannot be read. Write it as smtp"),
        (delivery.SMTP, "smtp://tenure:s3/cret@mail", "cannot be read. Write it as smtp"),
        (delivery.MAIL_TO, "somebody", "is no address"),
    ):
        with monkeypatch.context() as context:
            context.setenv(name, value)
            with pytest.raises(AlertSettingsError, match=f"{name} {words}") as caught:
                delivery.load_settings(tmp_path)
        assert "s3" not in str(caught.value)
    (tmp_path / "tenure.env").write_text("TENURE_ALERT_MAIL_TO=a@vendor.com\n")
    with pytest.raises(AlertSettingsError, match="MAIL_FROM and TENURE_ALERT_SMTP not set"):
        delivery.load_settings(tmp_path)


def test_a_failed_run_names_job_run_reason_and_checks(
    settings: AlertSettings, webhook: Webhook, mail_server: MailServer
) -> None:
    shown = "Readers still see the night of 2026-01-30."
    text = alerts.failure_text(
        "nightly", "0123456789", "a test failed", shown, ["crm/accounts: keys"]
    )
    assert alerts.undelivered(alerts.tell_failure(settings, "nightly", text)) == []
    (posted,), (mail,) = webhook.received, mail_server.received
    assert "nightly failed (run 01234567). a test failed" in posted["text"]
    assert "\n• crm/accounts: keys\nReaders still see the night of 2026-01-30." in posted["text"]
    long = alerts.failure_text("nightly", "0", "x" * 9999, shown, ["c" * 999] * 30)
    assert len(long) < 7000
    assert "... and 10 more, in operations.checks." in long
    assert mail["Subject"] == "Tenure: nightly failed"


def test_the_checks_of_a_run_are_read_from_its_events() -> None:
    @dg.asset(
        check_specs=[dg.AssetCheckSpec(name, asset="thing") for name in ("holds", "warns")],
    )
    def thing() -> dg.MaterializeResult:  # type: ignore[type-arg]
        return dg.MaterializeResult(
            check_results=[
                dg.AssetCheckResult(passed=True, check_name="holds"),
                dg.AssetCheckResult(
                    passed=False, check_name="warns", severity=dg.AssetCheckSeverity.WARN
                ),
            ]
        )

    with dg.DagsterInstance.ephemeral() as instance:
        run = dg.materialize([thing], instance=instance)
        assert alerts.failed_checks(instance, run.run_id) == ["thing: warns"]


def test_a_quiet_night_says_so_and_a_loud_one_is_cut() -> None:
    assert digest.text(AS_OF, [], []) == (
        "Tenure, night of 2026-01-31: no new risks.\nEvery check held."
    )
    text = digest.text(AS_OF, [RISK] * 14, [])
    assert text.count("• Acme Ltd") == 10
    assert text.endswith("... and 4 more, in renewals.watchlist.")


def test_a_name_from_data_calls_nobody_and_forges_no_line() -> None:
    hostile = dataclasses.replace(RISK, account="<!channel> @here\n• Beta: $1 ARR " + "x" * 200)
    text = digest.text(AS_OF, [hostile], [])
    assert "<" not in text
    assert "@here" not in text
    assert [line[0] for line in text.splitlines()[2:]] == ["•"]
    assert len(text.splitlines()[2]) < 300


def test_what_fails_after_the_files_keeps_nobody_from_the_digest(
    webhook: Webhook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL is down: the failure is told, what readers see of either, and the news."""

    @dg.op
    def show() -> None:
        raise dg.Failure("PostgreSQL was not published")

    @dg.job(name=NIGHTLY)
    def job() -> None:
        show()

    monkeypatch.setenv("TENURE_HOME", str(tmp_path))
    monkeypatch.setenv(delivery.WEBHOOK, webhook.url)
    monkeypatch.setenv("TENURE_PUBLISH_POSTGRES_DSN", "postgresql://u:s3cret@127.0.0.1:9/x")
    monkeypatch.delenv("TENURE_ENV_FILE", raising=False)
    with dg.DagsterInstance.ephemeral() as instance:
        run = job.execute_in_process(instance=instance, raise_on_error=False)
        publish_watchlist(tmp_path, FIRST, run_id=run.run_id)
        (failure,) = run.filter_events(lambda event: event.is_failure and not event.step_key)
        context = dg.build_run_status_sensor_context(
            sensor_name="run_failure_alert",
            dagster_event=failure,
            dagster_instance=instance,
            dagster_run=run.dagster_run,
        ).for_run_failure()
        alerts.run_failure_alert(context)
    failed, news = (posted["text"] for posted in webhook.received)
    assert "The files were published: their readers see this night, of 2026-01-31." in failed
    assert "PostgreSQL shows what it showed before." in failed
    assert "`make rollback TO=2026-01-31`" in failed
    assert news.startswith("Tenure, night of 2026-01-31: 1 new risk.")


def test_news_that_is_no_risk_is_not_told(tmp_path: Path) -> None:
    published = publish_watchlist(tmp_path, SECOND, FIRST, CALM, QUIET)
    risks = new_risks(published / "current" / "tenure.duckdb")
    assert [risk.account for risk in risks] == ["First", "Second"]


def test_a_night_run_by_dagster_is_told_by_its_sensor(
    webhook: Webhook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @dg.op
    def work() -> None:
        pass

    @dg.job(name=NIGHTLY)
    def job() -> None:
        work()

    monkeypatch.setenv("TENURE_HOME", str(tmp_path))
    monkeypatch.setenv(delivery.WEBHOOK, webhook.url)
    monkeypatch.delenv("TENURE_ENV_FILE", raising=False)
    with dg.DagsterInstance.ephemeral() as instance:
        for tags in ({}, {alerts.ALERTED_TAG: "by the command"}):
            run = job.execute_in_process(instance=instance, tags=tags)
            publish_watchlist(tmp_path, FIRST, run_id=run.run_id)
            context = dg.build_run_status_sensor_context(
                sensor_name="night_digest",
                dagster_event=run.get_run_success_event(),
                dagster_instance=instance,
                dagster_run=run.dagster_run,
            )
            alerts.night_digest(context)
    (posted,) = webhook.received
    assert posted["text"].startswith("Tenure, night of 2026-01-31: 1 new risk.")


def test_a_wrong_setting_stops_the_command_before_the_night(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # The sources' own settings are looked at first, and tested where they are read.
    monkeypatch.setattr(night, "load_settings", lambda: None)
    monkeypatch.setenv("TENURE_HOME", str(tmp_path))
    monkeypatch.setenv(delivery.MAIL_TO, "somebody@vendor.com")
    assert night.main(["--as-of", "2026-01-31"]) == night.EXIT_SETTINGS
    assert delivery.SMTP in capsys.readouterr().err
