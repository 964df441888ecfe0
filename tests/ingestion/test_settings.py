"""Settings are read from one place, checked whole, and tell what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingestion.settings import SettingsError, load_settings


def _problems() -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load_settings()
    return caught.value.problems


def test_no_source_at_all_is_one_clear_problem() -> None:
    (problem,) = _problems()
    assert "STRIPE_API_KEY" in problem
    assert "tenure.env" in problem


def test_every_problem_is_told_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STRIPE_API_BASE", "http://stripe.example")
    monkeypatch.setenv("SALESFORCE_LOGIN_URL", "not an address")
    monkeypatch.setenv("SALESFORCE_CLIENT_ID", "id")
    monkeypatch.setenv("TENURE_EVENTS_MANIFEST", str(tmp_path))
    monkeypatch.setenv("TENURE_DESK_PATH", str(tmp_path / "absent"))
    text = "\n".join(_problems())
    for name in (
        "STRIPE_API_KEY",
        "SALESFORCE_CLIENT_SECRET",
        "SALESFORCE_LOGIN_URL is no web address",
        "TENURE_EVENTS_PATH is not",
        "TENURE_DESK_PATH",
    ):
        assert name in text


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("STRIPE_API_KEY", "pk_live_x", "publishable"),
        ("STRIPE_API_BASE", "http://stripe.example", "unencrypted"),
        ("STRIPE_API_BASE", "https://me:pw@stripe.example", "user or password"),
        ("STRIPE_RECONCILE_DAYS", "often", "STRIPE_RECONCILE_DAYS"),
    ],
)
def test_wrong_values_are_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, says: str
) -> None:
    monkeypatch.setenv("STRIPE_API_KEY", "sk_test_secret")
    monkeypatch.setenv(name, value)
    text = "\n".join(_problems())
    assert says in text
    assert "sk_test_secret" not in text
    assert "pw@" not in text


def test_the_file_counts_only_if_the_environment_names_no_source(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    desk = tmp_path / "desk"
    desk.mkdir()
    (home / "tenure.env").write_text(f"STRIPE_API_KEY=sk_file\nTENURE_DESK_PATH={desk}\n")
    settings = load_settings()
    assert settings.sources == ("stripe", "desk")
    assert settings.origin == str(home / "tenure.env")
    monkeypatch.setenv("TENURE_DESK_PATH", str(desk))
    settings = load_settings()
    assert settings.sources == ("desk",)
    assert settings.origin == "environment"


def test_another_file_may_be_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "other.env"
    monkeypatch.setenv("TENURE_ENV_FILE", str(file))
    assert "TENURE_ENV_FILE" in _problems()[0]
    file.write_text("STRIPE_API_KEY=sk_other\n")
    settings = load_settings()
    assert settings.stripe is not None
    assert "sk_other" not in repr(settings)
