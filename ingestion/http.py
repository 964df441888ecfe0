"""A session that retries what may be retried and says nothing secret.

Belongs here: back-off on 429, 5xx, timeouts, broken connections and 200s whose body is cut off;
Retry-After; redaction. Must not be here: what any vendor's answer means.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import Any, TypeVar

import orjson
import requests

from ingestion import privacy

T = TypeVar("T")
_RETRIED = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
_TRANSIENT = (
    requests.ConnectionError,
    requests.Timeout,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ContentDecodingError,
)
_LONGEST_WAIT = 120.0


class HttpError(Exception):
    """A vendor's refusal, or silence after all attempts.

    Attributes:
        status: HTTP status; 0 if no answer came.
        code: vendor's error code, where one was found.
        message: vendor's message, redacted.
    """

    def __init__(self, status: int, code: str, message: str, url: str) -> None:
        super().__init__(f"{url}: {status or 'no answer'} {code} {message}".strip())
        self.status = status
        self.code = code
        self.message = message


@dataclass(frozen=True)
class Answer:
    """A successful answer: parsed body, headers, and the vendor's clock."""

    body: Any
    headers: Mapping[str, str]

    @property
    def at(self) -> datetime:
        """Instant of the answer by the vendor's clock, to the second; ours if it gives none."""
        stamp = self.headers.get("Date")
        try:
            return parsedate_to_datetime(stamp).astimezone(UTC) if stamp else _now()
        except ValueError:
            return _now()


@dataclass
class Session:
    """Requests with patience.

    Attributes:
        base: URL in front of every path that is not a URL itself.
        headers: sent with every request.
        secrets: values blanked wherever they might show.
        attempts: tries in all.
        first_wait: seconds before the second try; doubled each time, half of it random.
        timeout: seconds to connect and to wait for bytes.
        sleep: waiting, replaceable in tests.
        codes: reads a vendor's error (code, message) from a body.
        final: codes that no waiting helps against, whatever their status.
    """

    base: str
    headers: dict[str, str] = field(default_factory=dict)
    secrets: Sequence[str] = ()
    attempts: int = 7
    first_wait: float = 0.5
    timeout: tuple[float, float] = (10.0, 60.0)
    sleep: Callable[[float], None] = time.sleep
    codes: Callable[[Any], tuple[str, str]] = lambda body: ("", "")
    final: frozenset[str] = frozenset()
    requests_made: int = 0

    def __post_init__(self) -> None:
        """Opens the pool of connections; proxies and .netrc of the machine are left alone."""
        self._pool = requests.Session()
        adapter = requests.adapters.HTTPAdapter(pool_connections=4, pool_maxsize=8)
        self._pool.mount("https://", adapter)
        self._pool.mount("http://", adapter)

    def get(self, path: str, params: Sequence[tuple[str, str]] = ()) -> Answer:
        """A GET whose body is JSON.

        Raises:
            HttpError: refused, or still failing after the last attempt.
        """
        return self.request("GET", path, params=list(params))

    def request(self, method: str, path: str, **options: Any) -> Answer:
        """Any request whose answer is JSON.

        Raises:
            HttpError: refused, or still failing after the last attempt.
        """
        url = path if path.startswith("http") else self.base.rstrip("/") + path
        failure = HttpError(0, "", "", self.redact(url))
        for attempt in range(self.attempts):
            wait = self.first_wait * 2**attempt * (0.5 + random.random() / 2)
            try:
                self.requests_made += 1
                response = self._pool.request(
                    method, url, headers=self.headers, timeout=self.timeout, **options
                )
                content = response.content
            except _TRANSIENT as error:
                failure = HttpError(0, type(error).__name__, "", self.redact(url))
            else:
                if response.ok and (body := _parsed(response, content)) is not _CUT:
                    return Answer(body, response.headers)
                failure = self._failure(response, content, url)
                is_final = response.status_code not in _RETRIED or failure.code in self.final
                if not response.ok and is_final:
                    raise failure
                wait = _retry_after(response) or wait
            if attempt + 1 < self.attempts:
                self.sleep(min(wait, _LONGEST_WAIT))
        raise failure

    def redact(self, text: str) -> str:
        """The text without secrets, addresses and numbers of people."""
        for secret in self.secrets:
            if secret:
                text = text.replace(secret, privacy.REDACTED)
        return privacy.mask(text)

    def _failure(self, response: requests.Response, content: bytes, url: str) -> HttpError:
        shown = self.redact(url.split("?")[0])
        if response.ok:
            return HttpError(response.status_code, "cut_body", "the body was cut off", shown)
        try:
            code, message = self.codes(orjson.loads(content))
        except (orjson.JSONDecodeError, KeyError, TypeError, IndexError, AttributeError):
            code, message = "", response.reason or ""
        return HttpError(response.status_code, code, self.redact(message), shown)


_CUT = object()


def _parsed(response: requests.Response, content: bytes) -> Any:
    declared = response.headers.get("Content-Length")
    encoded = response.headers.get("Content-Encoding")
    if declared and not encoded and declared.isdigit() and len(content) < int(declared):
        return _CUT
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        return _CUT


def _retry_after(response: requests.Response) -> float | None:
    value = response.headers.get("Retry-After", "").strip()
    if not value:
        return None
    try:
        return max(float(value), 0.0)
    except ValueError:
        pass
    try:
        return max((parsedate_to_datetime(value) - _now()).total_seconds(), 0.0)
    except (ValueError, TypeError):
        return None


def _now() -> datetime:
    return datetime.now(UTC)


def ahead(items: Iterator[T], depth: int = 2) -> Iterator[T]:
    """The same items, the next ones fetched in a thread while the caller works on this one.

    An error in the thread is raised here, after the items before it. Leaving early stops the
    thread.
    """
    queue: Queue[tuple[bool, Any]] = Queue(maxsize=depth)
    stop = Event()

    def put(entry: tuple[bool, Any]) -> bool:
        while not stop.is_set():
            try:
                queue.put(entry, timeout=0.2)
                return True
            except Full:
                continue
        return False

    def work() -> None:
        try:
            for item in items:
                if not put((True, item)):
                    return
            put((False, None))
        except BaseException as error:  # noqa: BLE001 - handed to the caller, who raises it
            put((False, error))

    thread = Thread(target=work, daemon=True)
    thread.start()
    try:
        while True:
            is_item, value = queue.get()
            if is_item:
                yield value
            elif value is None:
                return
            else:
                raise value
    finally:
        stop.set()
        try:
            while True:
                queue.get_nowait()
        except Empty:
            pass
        thread.join(timeout=5)
