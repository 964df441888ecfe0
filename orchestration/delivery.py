"""Brings words to people: to a webhook, by mail.

Belongs here: where to, and the delivery. Must not be here: the words (`alerts`, `digest`), Dagster.

Nothing here fails a run: whoever is told of nothing still has the night, and the run's own words
say that the message did not arrive.
"""

from __future__ import annotations

import os
import smtplib
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import localtime, make_msgid
from pathlib import Path
from urllib.parse import unquote, urlsplit

import requests
from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

WEBHOOK = "TENURE_ALERT_WEBHOOK"
MAIL_TO = "TENURE_ALERT_MAIL_TO"
MAIL_FROM = "TENURE_ALERT_MAIL_FROM"
SMTP = "TENURE_ALERT_SMTP"

_TIMEOUT_SECONDS = 10
#: Seconds to wait before another try.
_WAITS = (1.0, 5.0)
#: Of HTTP: too many requests, and a server that is in trouble for the moment.
_PASSING = (429, 500, 502, 503, 504)
_LOCAL = ("localhost", "127.0.0.1", "::1")
_PORTS = {"smtp": 587, "smtps": 465}


class AlertSettingsError(Exception):
    """A setting of the alerts is wrong; the message names it and says what to write."""


@dataclass(frozen=True)
class Mail:
    """A mail server and who gets mail.

    Attributes:
        server: `smtp://user:password@host:587` (encrypted by STARTTLS, but on this machine) or
            `smtps://...`.
        sender: address in From.
        receivers: addresses in To.
    """

    server: SecretStr
    sender: str
    receivers: tuple[str, ...]


@dataclass(frozen=True)
class AlertSettings:
    """Where alerts go; nowhere where both are None."""

    webhook: SecretStr | None = None
    mail: Mail | None = None


@dataclass(frozen=True)
class Delivery:
    """What became of a message on one way.

    Attributes:
        way: one of `ways`.
        error: why it did not arrive; None when it did.
        remark: what a person should know of one that did.
    """

    way: str
    error: str | None = None
    remark: str | None = None


class _AnsweredError(Exception):
    """The receiver answered, but not that it has got the message."""

    def __init__(self, status: int) -> None:
        super().__init__(f"answered {status}")
        self.status = status


class _Raw(BaseSettings):
    model_config = SettingsConfigDict(
        env_ignore_empty=True, extra="ignore", case_sensitive=False, hide_input_in_errors=True
    )

    tenure_alert_webhook: SecretStr | None = None
    tenure_alert_mail_to: str = ""
    tenure_alert_mail_from: str = ""
    tenure_alert_smtp: SecretStr | None = None


def load_settings(home: Path) -> AlertSettings:
    """Settings from the environment, else from `tenure.env` in `home`.

    Raises:
        AlertSettingsError: an address is none, or one of the mail's settings is missing.
    """
    named = os.environ.get("TENURE_ENV_FILE", "").strip()
    raw = _Raw(_env_file=Path(named).expanduser() if named else home / "tenure.env")
    if raw.tenure_alert_webhook is not None:
        parts = _split(WEBHOOK, raw.tenure_alert_webhook.get_secret_value())
        if parts[0] not in ("http", "https"):
            raise AlertSettingsError(f"{WEBHOOK} cannot be read. Write it as https://host/path.")
    given = {
        MAIL_TO: raw.tenure_alert_mail_to,
        MAIL_FROM: raw.tenure_alert_mail_from,
        SMTP: raw.tenure_alert_smtp,
    }
    missing = [name for name, value in given.items() if not value]
    if raw.tenure_alert_smtp is None or missing:
        if len(missing) < len(given):
            raise AlertSettingsError(
                f"{' and '.join(missing)} not set. Mail needs {MAIL_TO}, {MAIL_FROM} and {SMTP}; "
                "set all of them or none."
            )
        return AlertSettings(raw.tenure_alert_webhook)
    if _split(SMTP, raw.tenure_alert_smtp.get_secret_value())[0] not in _PORTS:
        raise AlertSettingsError(
            f"{SMTP} cannot be read. Write it as smtp://user:password@host:587 or smtps://...; in "
            "a password, @ : / ? # % and spaces are written as %40 %3A %2F %3F %23 %25 and %20."
        )
    receivers = tuple(one.strip() for one in raw.tenure_alert_mail_to.split(",") if one.strip())
    for name, address in (
        (MAIL_FROM, raw.tenure_alert_mail_from),
        *((MAIL_TO, r) for r in receivers),
    ):
        if "@" not in address or any(c.isspace() for c in address.strip()):
            raise AlertSettingsError(f"{name} is no address. Write it as name@company.com.")
    return AlertSettings(
        raw.tenure_alert_webhook, Mail(raw.tenure_alert_smtp, raw.tenure_alert_mail_from, receivers)
    )


def ways(settings: AlertSettings) -> list[str]:
    """Names of the ways that are set."""
    named = {"webhook": settings.webhook, "mail": settings.mail}
    return [name for name, value in named.items() if value is not None]


def deliver(settings: AlertSettings, way: str, subject: str, text: str) -> Delivery:
    """Bring a message to its receivers on one way.

    Args:
        settings: where to.
        way: one of `ways(settings)`.
        subject: the line a mail is announced by; a webhook gets the text only.
        text: the message.
    """
    for wait in (*_WAITS, None):
        try:
            if way == "webhook" and settings.webhook is not None:
                _post(settings.webhook, text)
                return Delivery(way)
            if way == "mail" and settings.mail is not None:
                return Delivery(way, remark=_send(settings.mail, subject, text))
            return Delivery(way, "not set")
        except (
            _AnsweredError,
            requests.RequestException,
            smtplib.SMTPException,
            OSError,
            ValueError,
        ) as error:
            if wait is None or not _may_pass(error):
                # The words of an error may hold the address, and the address a secret.
                return Delivery(way, _reason(error))
        time.sleep(wait)
    raise AssertionError("the last try returns")


def _may_pass(error: Exception) -> bool:
    """Say whether another try is worth it, and hardly brings the message twice."""
    if isinstance(error, _AnsweredError):
        return error.status in _PASSING
    if isinstance(error, smtplib.SMTPResponseException):
        return 400 <= error.smtp_code < 500
    if isinstance(error, (ssl.SSLError, requests.exceptions.SSLError)):
        return False
    # Whoever is only slow may have got it.
    if isinstance(error, (requests.Timeout, TimeoutError)):
        return isinstance(error, requests.ConnectTimeout)
    return isinstance(
        error, (requests.ConnectionError, ConnectionError, smtplib.SMTPServerDisconnected)
    )


def _post(url: SecretStr, text: str) -> None:
    """Post `{"text": ...}`, as Slack and Mattermost read it."""
    with requests.post(
        url.get_secret_value(),
        json={"text": text},
        timeout=_TIMEOUT_SECONDS,
        stream=True,
        # Followed, a post becomes a get, and whatever answers it says that all is well.
        allow_redirects=False,
    ) as response:
        if not 200 <= response.status_code < 300:
            raise _AnsweredError(response.status_code)


def _send(mail: Mail, subject: str, text: str) -> str | None:
    """Send to all receivers; returns what is to be said of those who were refused."""
    message = EmailMessage()
    message["From"], message["To"] = mail.sender, ", ".join(mail.receivers)
    message["Subject"] = subject
    message["Date"] = localtime()
    message["Message-ID"] = make_msgid(domain=mail.sender.rpartition("@")[2])
    # Nobody's notice of absence is an answer to a machine.
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text)
    with _connected(mail) as server:
        refused = server.send_message(message)
    if not refused:
        return None
    return f"{len(refused)} of {len(mail.receivers)} receivers were refused"


@contextmanager
def _connected(mail: Mail) -> Iterator[smtplib.SMTP]:
    parts = urlsplit(mail.server.get_secret_value())
    host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    trusted = ssl.create_default_context()
    server = (
        smtplib.SMTP_SSL(host, port, timeout=_TIMEOUT_SECONDS, context=trusted)
        if parts.scheme == "smtps"
        else smtplib.SMTP(host, port, timeout=_TIMEOUT_SECONDS)
    )
    with server:
        if parts.scheme == "smtp" and host not in _LOCAL:
            server.starttls(context=trusted)
        if parts.username:
            server.login(unquote(parts.username), unquote(parts.password or ""))
        yield server


def _split(name: str, address: str) -> tuple[str, str]:
    """Scheme and host; empty where there is none."""
    try:
        parts = urlsplit(address.strip())
        is_whole = bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_whole = False
    return (parts.scheme, parts.hostname or "") if is_whole else ("", "")


def _reason(error: Exception) -> str:
    if isinstance(error, _AnsweredError):
        return str(error)
    if isinstance(error, (ssl.SSLError, requests.exceptions.SSLError)):
        return "has no certificate that can be trusted"
    if isinstance(error, (requests.Timeout, TimeoutError)):
        return f"did not answer within {_TIMEOUT_SECONDS} s"
    if isinstance(error, smtplib.SMTPResponseException):
        return f"answered {error.smtp_code}"
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return "refused the receivers"
    if isinstance(error, (requests.ConnectionError, ConnectionError, OSError)):
        return "cannot be reached"
    return type(error).__name__
