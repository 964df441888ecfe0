"""The morning's message: what became risky overnight, and which checks did not hold.

Belongs here: its words, and the memory of what has been told. Must not be here: delivery, or how a
risk is found. It names companies and no people.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from orchestration import delivery
from orchestration.delivery import AlertSettings, Delivery
from publishing.headlines import NewRisk

SHOWN = 10
_CHECKS = 20
#: Characters of a name, and of what is said of a check.
_NAME, _CHECK = 100, 250
_TOLD = ".digests.json"
_REMEMBERED_NIGHTS = 30


def subject(as_of: date, risks: Sequence[NewRisk], failed_checks: Sequence[str]) -> str:
    """Return the line that a mail is announced by."""
    counted = _counted(len(failed_checks), "check")
    checks = f", {counted} did not hold" if failed_checks else ""
    return f"Tenure, night of {as_of}: {_counted(len(risks), 'new risk')}{checks}"


def text(as_of: date, risks: Sequence[NewRisk], failed_checks: Sequence[str]) -> str:
    """Return the message; the same for a night that is repeated without change.

    Args:
        as_of: the night.
        risks: what is new, those to call first at the top.
        failed_checks: checks that did not hold, as `table: what was found`.
    """
    lines = [subject(as_of, risks, failed_checks) + "."]
    if risks:
        known = [risk.expected_loss_usd for risk in risks if risk.expected_loss_usd is not None]
        lines.append(
            f"{_money(sum(risk.arr_usd for risk in risks))} ARR, "
            f"of which {_money(sum(known))} is expected to be lost."
        )
    lines += [_line(risk) for risk in risks[:SHOWN]]
    if len(risks) > SHOWN:
        lines.append(f"... and {len(risks) - SHOWN} more, in renewals.watchlist.")
    if failed_checks:
        lines.append("Checks that did not hold:")
        lines += listed(failed_checks)
    elif not risks:
        lines.append("Every check held.")
    return "\n".join(lines)


def listed(failed_checks: Sequence[str]) -> list[str]:
    """Return a line a check, few and short enough to be read."""
    lines = [f"• {_cut(name, _CHECK)}" for name in sorted(failed_checks)[:_CHECKS]]
    if len(failed_checks) > _CHECKS:
        lines.append(f"... and {len(failed_checks) - _CHECKS} more, in operations.checks.")
    return lines


def tell_once(
    settings: AlertSettings, published: Path, as_of: date, announced: str, message: str
) -> list[Delivery]:
    """Bring the message of a night to its receivers, unless it has been brought there.

    Args:
        settings: where to.
        published: the folder of nights, in which it is noted what has been told.
        as_of: the night.
        announced: the subject.
        message: the text.

    Returns:
        What became of it on each way that had not been told.
    """
    sign = hashlib.sha256(message.encode()).hexdigest()
    told = _told(published)
    done = []
    for way in delivery.ways(settings):
        nights = told.setdefault(way, {})
        if nights.get(as_of.isoformat()) == sign:
            continue
        done.append(delivery.deliver(settings, way, announced, message))
        if done[-1].error is None:
            nights[as_of.isoformat()] = sign
            told[way] = dict(sorted(nights.items())[-_REMEMBERED_NIGHTS:])
            _note(published, told)
    return done


def _told(published: Path) -> dict[str, dict[str, str]]:
    try:
        told = json.loads((published / _TOLD).read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return {way: nights for way, nights in dict(told).items() if isinstance(nights, dict)}


def _note(published: Path, told: dict[str, dict[str, str]]) -> None:
    aside = published / f"{_TOLD}.{os.getpid()}"
    aside.write_text(json.dumps(told, indent=1))
    aside.replace(published / _TOLD)


def _line(risk: NewRisk) -> str:
    due = "" if risk.days_to_renewal is None else f", due in {risk.days_to_renewal} days"
    if risk.days_to_renewal is not None and risk.days_to_renewal < 0:
        due = f", due {-risk.days_to_renewal} days ago"
    lost = "" if risk.p_lost is None else f", {risk.p_lost:.0%} likely to be lost"
    plan = "" if risk.has_plan_owner else ", nobody accountable for a plan"
    words = f"{_money(risk.arr_usd)} ARR{due}{lost}{plan}. {risk.why_today}"
    return f"• {_plain(risk.account)}: {words}"


def _plain(name: str) -> str:
    """Return a name from data as a chat shows it: no markup, no mention, one line."""
    # `<!channel>` and `@here` in a name would call everybody; `<address|words>` hides an address.
    spoken = " ".join(name.split()).translate({ord("<"): "‹", ord(">"): "›", ord("@"): "@\u200b"})
    return _cut(spoken, _NAME)


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1].rstrip()}…"


def _money(amount: object) -> str:
    return f"${amount:,.0f}"


def _counted(number: int, what: str) -> str:
    return f"{number or 'no'} {what}{'' if number == 1 else 's'}"
