"""Faults on demand: what goes wrong between a connector and a vendor, made to happen on purpose.

Belongs here: rules that pick requests and say what goes wrong, counted so that a test is
deterministic. Does not belong here: how a vendor words its errors, or randomness of any kind.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, get_args

Kind = Literal[
    "rate_limit", "server_error", "cut_body", "slow", "repeat_page", "expire_token", "status"
]


@dataclass(frozen=True)
class Fault:
    """One rule: the `count` requests after the first `skip` matching ones go wrong.

    Attributes:
        kind: `rate_limit` (the vendor's over-limit answer, with Retry-After), `server_error` (500),
            `cut_body` (a 200 whose body stops early), `slow` (sleeps, then answers), `repeat_page`
            (the previous page of the same path again), `expire_token` (the presented token stops
            being valid, so the caller has to log in again), `status` (any other status).
        service: `stripe`, `salesforce` or `hubspot`; None for all.
        path: regular expression searched in the path and query of the request.
        count: how many matching requests go wrong; None for all of them.
        skip: how many matching requests pass first.
        retry_after: seconds announced with a rate limit; None leaves the header out.
        seconds: how long a slow answer takes.
        keep: share of the body that is sent before it is cut, 0 to 1.
        announce: `full` announces the whole length and hangs up, `short` announces the stump.
        status: the status of a `status` fault.
    """

    kind: Kind
    service: str | None = None
    path: str = ""
    count: int | None = 1
    skip: int = 0
    retry_after: float | None = 0.0
    seconds: float = 1.0
    keep: float = 0.5
    announce: Literal["full", "short"] = "full"
    status: int = 503

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise ValueError(f"unknown fault {self.kind!r}; use one of {', '.join(get_args(Kind))}")
        if not 0 <= self.keep < 1:
            raise ValueError(f"keep must be at least 0 and below 1, not {self.keep}")
        re.compile(self.path)


class Faults:
    """The rules in force; thread-safe, empty by default."""

    def __init__(self) -> None:
        self._rules: list[Fault] = []
        self._fired: list[Fault] = []
        self._lock = threading.Lock()

    @property
    def watches_pages(self) -> bool:
        """Whether a rule needs the previous page of a path."""
        return any(rule.kind == "repeat_page" for rule in self._rules)

    def add(self, kind: Kind, **settings: Any) -> Fault:
        """Add a rule, see `Fault` for the settings."""
        fault = Fault(kind, **settings)
        with self._lock:
            self._rules.append(fault)
        return fault

    def clear(self) -> None:
        """Remove all rules and forget which have fired."""
        with self._lock:
            self._rules.clear()
            self._fired.clear()

    def take(self, service: str, path: str, query: Sequence[tuple[str, str]] = ()) -> list[Fault]:
        """The faults that hit this request; each hit uses up one of its rule's count."""
        if not self._rules:
            return []
        text = path + ("?" + "&".join(f"{k}={v}" for k, v in query) if query else "")
        hits: list[Fault] = []
        with self._lock:
            left: list[Fault] = []
            for rule in self._rules:
                if rule.service not in (None, service) or not re.search(rule.path, text):
                    left.append(rule)
                elif rule.skip > 0:
                    left.append(replace(rule, skip=rule.skip - 1))
                else:
                    hits.append(rule)
                    if rule.count is None:
                        left.append(rule)
                    elif rule.count > 1:
                        left.append(replace(rule, count=rule.count - 1))
            self._rules = left
            self._fired += hits
        return hits

    def fired(self, kind: Kind | None = None) -> int:
        """How many requests have been hit, of one kind or of all."""
        return sum(1 for fault in self._fired if kind in (None, fault.kind))

    def pending(self) -> list[dict[str, Any]]:
        """The rules still in force, as plain values."""
        return [asdict(rule) for rule in self._rules]
