"""Settings of the sources: read once, checked whole, told in plain sentences.

They come from the environment or, only if the environment names no source at all, from the file
`tenure.env` in TENURE_HOME (TENURE_ENV_FILE names another). So a production environment is never
mixed with a file left over from a trial.

Belongs here: names, defaults, checks and remedies. Must not be here: connections (`check` opens
them) or any default that is a secret.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

ENV_FILE = "tenure.env"
_EXAMPLES = "Either set it in the environment or write it into tenure.env."


class SettingsError(Exception):
    """What is missing or wrong in the settings, one message each.

    Attributes:
        problems: the messages, each with its remedy.
    """

    def __init__(self, problems: list[str]) -> None:
        super().__init__("The settings cannot be used:\n" + "\n".join(f"  - {p}" for p in problems))
        self.problems = problems


class _Raw(BaseSettings):
    """The settings as written; an empty value counts as not set."""

    model_config = SettingsConfigDict(
        env_ignore_empty=True, extra="ignore", case_sensitive=False, hide_input_in_errors=True
    )

    stripe_api_key: SecretStr | None = None
    stripe_api_base: str | None = None
    stripe_reconcile_days: str | None = None
    salesforce_login_url: str | None = None
    salesforce_client_id: SecretStr | None = None
    salesforce_client_secret: SecretStr | None = None
    salesforce_objects: str | None = None
    salesforce_api_version: str | None = None
    salesforce_usage_ceiling: str | None = None
    salesforce_reconcile_days: str | None = None
    hubspot_access_token: SecretStr | None = None
    hubspot_api_url: str | None = None
    hubspot_objects: str | None = None
    hubspot_usage_ceiling: str | None = None
    hubspot_reconcile_days: str | None = None
    tenure_deletion_limit: str | None = None
    tenure_events_path: str | None = None
    tenure_events_manifest: str | None = None
    tenure_events_columns: str | None = None
    tenure_usage_monthly_path: str | None = None
    tenure_usage_postgres_dsn: SecretStr | None = None
    tenure_usage_postgres_table: str | None = None
    tenure_usage_postgres_columns: str | None = None
    tenure_usage_postgres_exclude: str | None = None
    tenure_usage_postgres_hash: str | None = None
    tenure_usage_postgres_overlap_hours: str | None = None
    tenure_usage_postgres_timeout_seconds: str | None = None
    tenure_desk_path: str | None = None


# The settings that name a source; any of them in the environment keeps the file unread.
_NAMING = (
    "stripe_api_key",
    "stripe_api_base",
    "salesforce_login_url",
    "salesforce_client_id",
    "salesforce_client_secret",
    "hubspot_access_token",
    "hubspot_api_url",
    "tenure_events_path",
    "tenure_usage_monthly_path",
    "tenure_usage_postgres_dsn",
    "tenure_desk_path",
)


@dataclass(frozen=True)
class StripeSettings:
    """Stripe: secret key, address, and days between two full listings that reconcile."""

    api_key: SecretStr
    api_base: str = "https://api.stripe.com"
    reconcile_days: int = 28


@dataclass(frozen=True)
class SalesforceSettings:
    """Salesforce by client credentials.

    Attributes:
        login_url: My Domain address of the organisation.
        client_id: consumer key of the connected app.
        client_secret: its secret.
        objects: configuration of objects; None for the one delivered with the product.
        api_version: REST API version.
        usage_ceiling: share of the organisation's daily requests at which the run stops.
        reconcile_days: days between two listings of ids, which find what was erased for good.
    """

    login_url: str
    client_id: SecretStr
    client_secret: SecretStr
    objects: Path | None = None
    api_version: str = "v62.0"
    usage_ceiling: float = 0.95
    reconcile_days: int = 7


@dataclass(frozen=True)
class HubSpotSettings:
    """HubSpot by the token of a private app.

    Attributes:
        access_token: the token.
        api_url: address of the API.
        objects: configuration of objects; None for the one delivered with the product.
        usage_ceiling: share of the app's daily requests at which the run stops.
        reconcile_days: days between two listings of ids, which find what was erased for good.
    """

    access_token: SecretStr
    api_url: str = "https://api.hubapi.com"
    objects: Path | None = None
    usage_ceiling: float = 0.95
    reconcile_days: int = 7


@dataclass(frozen=True)
class UsagePostgresSettings:
    """A table or view of usage events in PostgreSQL.

    Attributes:
        dsn: address, `postgresql://user:password@host:port/database`.
        schema: schema of the table.
        table: the table or view.
        columns: event's column -> column of the table (or `column.key` of a JSON column).
        exclude: columns, or `column.key` of JSON columns, that never leave the database.
        hashed: ditto, that leave it as SHA-256 only.
        overlap_hours: hours before the newest row read that are read again each time.
        timeout_seconds: how long one statement may take.
    """

    dsn: SecretStr
    schema: str = "public"
    table: str = "usage_events"
    columns: Mapping[str, str] = field(default_factory=dict)
    exclude: tuple[str, ...] = ()
    hashed: tuple[str, ...] = ()
    overlap_hours: float = 48.0
    timeout_seconds: float = 600.0


@dataclass(frozen=True)
class UsageSettings:
    """Usage: event files, a manifest of them, their columns, a table, and monthly aggregates."""

    events_path: Path | None
    events_manifest: Path | None = None
    events_columns: str | None = None
    monthly_path: Path | None = None
    postgres: UsagePostgresSettings | None = None


@dataclass(frozen=True)
class DeskSettings:
    """The success desk's folder of files."""

    path: Path


@dataclass(frozen=True)
class Settings:
    """What an installation loads. A source that is not configured is None.

    Attributes:
        home: folder of the installation's state.
        origin: where the settings were read: 'environment' or the file's path.
        deletion_limit: share of a table that may be gone at once before a run stops and asks.
    """

    home: Path
    origin: str
    stripe: StripeSettings | None = None
    salesforce: SalesforceSettings | None = None
    hubspot: HubSpotSettings | None = None
    usage: UsageSettings | None = None
    desk: DeskSettings | None = None
    deletion_limit: float = 0.05

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of the configured sources, in the order in which they are loaded."""
        named = {
            "stripe": self.stripe,
            "salesforce": self.salesforce,
            "hubspot": self.hubspot,
            "usage": self.usage,
            "desk": self.desk,
        }
        return tuple(name for name, value in named.items() if value is not None)


def home() -> Path:
    """Folder of the installation's state: TENURE_HOME, or the project's own folder."""
    given = os.environ.get("TENURE_HOME", "").strip()
    return Path(given).expanduser().resolve() if given else Path(__file__).resolve().parents[1]


def load_settings() -> Settings:
    """Reads and checks the settings.

    Raises:
        SettingsError: with one message for each thing missing or wrong.
    """
    place = home()
    problems: list[str] = []
    raw = _Raw()
    origin = "environment"
    if not any(getattr(raw, name) for name in _NAMING):
        named = os.environ.get("TENURE_ENV_FILE", "").strip()
        file = Path(named).expanduser() if named else place / ENV_FILE
        if file.is_file():
            raw = _Raw(_env_file=file)
            origin = str(file)
        elif named:
            problems.append(
                f"TENURE_ENV_FILE names {file}, which is no file. Correct the path or unset it."
            )
    settings = Settings(
        home=place,
        origin=origin,
        stripe=_stripe(raw, problems),
        salesforce=_salesforce(raw, problems),
        hubspot=_hubspot(raw, problems),
        usage=_usage(raw, problems),
        desk=_desk(raw, problems),
        deletion_limit=_number(
            "TENURE_DELETION_LIMIT", raw.tenure_deletion_limit, 0.05, 0, 1, problems
        ),
    )
    if settings.salesforce is not None and settings.hubspot is not None:
        problems.append(
            "Both Salesforce and HubSpot are configured; every account would count twice. A "
            "company has one CRM: unset the SALESFORCE_… settings or HUBSPOT_ACCESS_TOKEN."
        )
    if not problems and not settings.sources:
        problems.append(
            "No source is configured. Set at least one of STRIPE_API_KEY, SALESFORCE_LOGIN_URL "
            "(with "
            "SALESFORCE_CLIENT_ID and SALESFORCE_CLIENT_SECRET) or HUBSPOT_ACCESS_TOKEN, "
            "TENURE_EVENTS_PATH, "
            "TENURE_USAGE_POSTGRES_DSN, "
            f"TENURE_USAGE_MONTHLY_PATH or TENURE_DESK_PATH, in the environment or in "
            f"{place / ENV_FILE}."
        )
    if problems:
        raise SettingsError(problems)
    return settings


def _stripe(raw: _Raw, problems: list[str]) -> StripeSettings | None:
    if raw.stripe_api_key is None:
        if raw.stripe_api_base:
            problems.append(
                "STRIPE_API_BASE is set but STRIPE_API_KEY is not. Set the key (a restricted key "
                "with "
                "read access is enough), or unset STRIPE_API_BASE to go without Stripe."
            )
        return None
    base = raw.stripe_api_base or "https://api.stripe.com"
    _check_url("STRIPE_API_BASE", base, problems)
    key = raw.stripe_api_key.get_secret_value()
    if key.startswith("pk_"):
        problems.append(
            "STRIPE_API_KEY is a publishable key, which may read nothing. Use a secret (sk_…) or "
            "restricted (rk_…) key from Developers > API keys."
        )
    days = _number("STRIPE_RECONCILE_DAYS", raw.stripe_reconcile_days, 28, 1, 365, problems)
    return StripeSettings(raw.stripe_api_key, base, int(days))


def _salesforce(raw: _Raw, problems: list[str]) -> SalesforceSettings | None:
    needed = {
        "SALESFORCE_LOGIN_URL": raw.salesforce_login_url,
        "SALESFORCE_CLIENT_ID": raw.salesforce_client_id,
        "SALESFORCE_CLIENT_SECRET": raw.salesforce_client_secret,
    }
    if not any(needed.values()):
        return None
    remedies = {
        "SALESFORCE_LOGIN_URL": "Set it to the organisation's My Domain address, "
        "https://<company>.my.salesforce.com.",
        "SALESFORCE_CLIENT_ID": "Set it to the consumer key of a connected app that allows the "
        "client credentials flow.",
        "SALESFORCE_CLIENT_SECRET": "Set it to the consumer secret of the connected app.",
    }
    present = ", ".join(name for name, value in needed.items() if value)
    for name, value in needed.items():
        if not value:
            problems.append(f"{name} is not set, though {present} is. {remedies[name]} {_EXAMPLES}")
    objects = _path("SALESFORCE_OBJECTS", raw.salesforce_objects, Path.is_file, "a file", problems)
    version = raw.salesforce_api_version or "v62.0"
    if not version.startswith("v") or not version[1:].replace(".", "", 1).isdigit():
        problems.append(f"SALESFORCE_API_VERSION is {version!r}. Write it as v62.0.")
    ceiling = _number(
        "SALESFORCE_USAGE_CEILING", raw.salesforce_usage_ceiling, 0.95, 0.01, 1, problems
    )
    days = _number("SALESFORCE_RECONCILE_DAYS", raw.salesforce_reconcile_days, 7, 1, 365, problems)
    if raw.salesforce_login_url:
        _check_url("SALESFORCE_LOGIN_URL", raw.salesforce_login_url, problems)
    if (
        raw.salesforce_login_url
        and raw.salesforce_client_id is not None
        and raw.salesforce_client_secret is not None
    ):
        return SalesforceSettings(
            raw.salesforce_login_url,
            raw.salesforce_client_id,
            raw.salesforce_client_secret,
            objects,
            version,
            ceiling,
            int(days),
        )
    return None


def _hubspot(raw: _Raw, problems: list[str]) -> HubSpotSettings | None:
    if raw.hubspot_access_token is None:
        if raw.hubspot_api_url:
            problems.append(
                "HUBSPOT_API_URL is set but HUBSPOT_ACCESS_TOKEN is not. Set the token of a "
                "private app (Settings > Integrations > Private Apps), or unset HUBSPOT_API_URL "
                "to go without HubSpot."
            )
        return None
    url = raw.hubspot_api_url or "https://api.hubapi.com"
    _check_url("HUBSPOT_API_URL", url, problems)
    objects = _path("HUBSPOT_OBJECTS", raw.hubspot_objects, Path.is_file, "a file", problems)
    ceiling = _number("HUBSPOT_USAGE_CEILING", raw.hubspot_usage_ceiling, 0.95, 0.01, 1, problems)
    days = _number("HUBSPOT_RECONCILE_DAYS", raw.hubspot_reconcile_days, 7, 1, 365, problems)
    return HubSpotSettings(raw.hubspot_access_token, url, objects, ceiling, int(days))


def _usage(raw: _Raw, problems: list[str]) -> UsageSettings | None:
    for name, value in (
        ("TENURE_EVENTS_MANIFEST", raw.tenure_events_manifest),
        ("TENURE_EVENTS_COLUMNS", raw.tenure_events_columns),
    ):
        if value and not raw.tenure_events_path:
            problems.append(
                f"{name} is set but TENURE_EVENTS_PATH is not. Set TENURE_EVENTS_PATH to the "
                f"folder of event files, or unset {name}."
            )
    events = _path(
        "TENURE_EVENTS_PATH", raw.tenure_events_path, Path.exists, "a folder or file", problems
    )
    manifest = _path(
        "TENURE_EVENTS_MANIFEST", raw.tenure_events_manifest, Path.is_file, "a file", problems
    )
    monthly = _path(
        "TENURE_USAGE_MONTHLY_PATH",
        raw.tenure_usage_monthly_path,
        Path.exists,
        "a file or folder",
        problems,
    )
    postgres = _usage_postgres(raw, problems)
    if events is None and monthly is None and postgres is None:
        return None
    return UsageSettings(events, manifest, raw.tenure_events_columns, monthly, postgres)


def _usage_postgres(raw: _Raw, problems: list[str]) -> UsagePostgresSettings | None:
    prefix = "TENURE_USAGE_POSTGRES"
    others = {
        f"{prefix}_{name.upper()}": getattr(raw, f"tenure_usage_postgres_{name}")
        for name in ("table", "columns", "exclude", "hash", "overlap_hours", "timeout_seconds")
    }
    if raw.tenure_usage_postgres_dsn is None:
        problems.extend(
            f"{name} is set but {prefix}_DSN is not. Set it to the database's address, or unset "
            f"{name}."
            for name, value in others.items()
            if value
        )
        return None
    _check_dsn(f"{prefix}_DSN", raw.tenure_usage_postgres_dsn, problems)
    schema, _, table = (others[f"{prefix}_TABLE"] or "usage_events").rpartition(".")
    if not table or "." in schema or '"' in schema + table:
        problems.append(f"{prefix}_TABLE is no name of a table. Write it as schema.table.")
    columns: object = {}
    try:
        columns = json.loads(others[f"{prefix}_COLUMNS"] or "{}")
    except ValueError:
        columns = None
    if not isinstance(columns, dict) or not all(isinstance(v, str) for v in columns.values()):
        problems.append(
            f'{prefix}_COLUMNS is no JSON of names. Write it as {{"message_id": "event_id"}}.'
        )
        columns = {}
    from ingestion.usage.event_columns import CANDIDATES  # which needs SettingsError from here

    problems.extend(
        f"{prefix}_COLUMNS names {name!r}. Use the columns {', '.join(CANDIDATES)}."
        for name in columns
        if name not in CANDIDATES
    )
    return UsagePostgresSettings(
        raw.tenure_usage_postgres_dsn,
        schema or "public",
        table,
        columns,
        _names(others[f"{prefix}_EXCLUDE"]),
        _names(others[f"{prefix}_HASH"]),
        _number(
            f"{prefix}_OVERLAP_HOURS", others[f"{prefix}_OVERLAP_HOURS"], 48, 0, 8760, problems
        ),
        _number(
            f"{prefix}_TIMEOUT_SECONDS",
            others[f"{prefix}_TIMEOUT_SECONDS"],
            600,
            0.001,
            86400,
            problems,
        ),
    )


def _desk(raw: _Raw, problems: list[str]) -> DeskSettings | None:
    path = _path("TENURE_DESK_PATH", raw.tenure_desk_path, Path.is_dir, "a folder", problems)
    return DeskSettings(path) if path is not None else None


def _path(
    name: str, given: str | None, fits: Callable[[Path], bool], what: str, problems: list[str]
) -> Path | None:
    if not given:
        return None
    path = Path(given).expanduser()
    if not path.is_absolute():
        path = home() / path
    if not fits(path):
        problems.append(
            f"{name} is {given!r}, which is not {what} here. Create it, correct the path, or unset "
            f"{name} to go without."
        )
        return None
    return path


def _check_url(name: str, value: str, problems: list[str]) -> None:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        problems.append(f"{name} is no web address. Write it as https://host.")
    elif parts.username or parts.password:
        problems.append(
            f"{name} holds a user or password. Take it out; secrets have settings of their own."
        )
    elif parts.scheme == "http" and parts.hostname not in ("127.0.0.1", "localhost", "::1"):
        problems.append(f"{name} would send secrets unencrypted. Use https.")


def _check_dsn(name: str, dsn: SecretStr, problems: list[str]) -> None:
    """Whether an address of PostgreSQL is one; no message repeats any of it."""
    shape = "postgresql://user:password@host:5432/database"
    value = dsn.get_secret_value()
    if not value.startswith(("postgresql://", "postgres://")):
        problems.append(f"{name} is no address of a PostgreSQL database. Write it as {shape}.")
        return
    try:
        parts = urlsplit(value)
        is_whole = parts.port != 0 and bool(parts.hostname)
    except ValueError:
        is_whole = False
    if not is_whole or parts.netloc.count("@") > 1 or parts.fragment:
        problems.append(
            f"{name} cannot be read. Write it as {shape}; in a password, @ : / ? # % and "
            "spaces are written as %40 %3A %2F %3F %23 %25 and %20."
        )
    elif not parts.username or not parts.path.strip("/"):
        problems.append(f"{name} names no user or no database. Write it as {shape}.")


def _names(given: str | None) -> tuple[str, ...]:
    return tuple(name for part in (given or "").split(",") if (name := part.strip()))


def _number(
    name: str, given: str | None, default: float, low: float, high: float, problems: list[str]
) -> float:
    if given is None:
        return default
    try:
        number = float(given)
    except ValueError:
        number = float("nan")
    if not low <= number <= high:
        problems.append(f"{name} is {given!r}. Write a number from {low:g} to {high:g}.")
        return default
    return number
