"""The command line explains itself, and says what is wrong with what it was given."""

from __future__ import annotations

from pathlib import Path

import pytest

from sample_company import cli

COMMANDS = ("start", "stop", "status", "serve", "build", "export", "fault", "plots")


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as end:
        cli.main(arguments)
    assert end.value.code == 0
    return capsys.readouterr().out


def test_help_names_every_command_and_shows_what_to_try(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = said(capsys, "--help")
    for command in COMMANDS:
        assert f"\n    {command} " in text
    assert "python -m sample_company start" in text
    assert "docs/sample-company.md" in text


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    text = said(capsys, command, "--help")
    assert max(map(len, text.splitlines())) <= 100
    options = text.split("\noptions:\n")[1].split("\n\n")[0]
    if command in ("stop", "status", "serve"):
        assert text.count("\n\n") >= 2
    else:
        assert f"\n  python -m sample_company {command}" in text
    for line in options.splitlines():
        assert not line.startswith("  --") or "  " in line[4:] or len(line) > 28, line


def test_what_does_not_go_together_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = ["--out", str(tmp_path)]
    assert cli.main(["export", "--size", "small", "--tables", *out]) == 2
    assert "build --help" in capsys.readouterr().err
    assert cli.main(["export", "--accounts", "0", *out]) == 2
    assert "accounts must be at least 1" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        cli.main(["export", "--size", "small", "--accounts", "5", *out])
    assert "not allowed with" in capsys.readouterr().err


def test_a_small_export_is_told_in_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--accounts", "200", "--event-days", "3", "--now", "2014-05-01", "--workers", "1"]
    assert cli.main(["export", *options, "--out", str(tmp_path / "out")]) == 0
    assert "events in 3 files below" in capsys.readouterr().out.splitlines()[-1]
