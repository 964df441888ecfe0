"""What may be retried is retried; what is said is safe to say."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from ingestion.http import HttpError, Session, ahead

Scripted = tuple[int, dict[str, str], bytes]


@contextmanager
def scripted(*answers: Scripted) -> Iterator[tuple[str, list[str]]]:
    """A server that gives these answers in turn, the last one for ever."""
    asked: list[str] = []
    left = list(answers)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            status, headers, body = left.pop(0) if len(left) > 1 else left[0]
            self.send_response(status)
            for name, value in ({"Content-Length": str(len(body))} | headers).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)
            self.close_connection = True

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _session(url: str, waits: list[float]) -> Session:
    return Session(url, secrets=("sk_secret",), sleep=waits.append, timeout=(1, 1))


FINE: Scripted = (200, {}, b'{"data": [1]}')


@pytest.mark.parametrize(
    "first",
    [
        (429, {}, b"{}"),
        (500, {}, b"{}"),
        (503, {}, b"busy"),
        (200, {}, b'{"data": ['),
        (200, {"Content-Length": "900"}, b'{"data": [1]}'),
        (200, {}, b""),
    ],
)
def test_a_passing_failure_is_tried_again(first: Scripted) -> None:
    waits: list[float] = []
    with scripted(first, FINE) as (url, asked):
        assert _session(url, waits).get("/x").body == {"data": [1]}
    assert len(asked) == 2
    assert len(waits) == 1


def test_the_vendor_says_how_long_to_wait() -> None:
    waits: list[float] = []
    with scripted((429, {"Retry-After": "7"}, b"{}"), FINE) as (url, _):
        _session(url, waits).get("/x")
    assert waits == [7.0]


def test_waits_grow_and_end() -> None:
    waits: list[float] = []
    with scripted((502, {}, b"")) as (url, asked), pytest.raises(HttpError) as caught:
        _session(url, waits).get("/x")
    assert caught.value.status == 502
    assert len(asked) == 7
    assert waits[-1] > waits[0]


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_a_refusal_is_not_tried_again_and_keeps_secrets(status: int) -> None:
    body = b'{"error": {"message": "key sk_secret of ada@example.com is wrong"}}'
    with scripted((status, {}, body)) as (url, asked):
        session = _session(url, [])
        session.codes = lambda found: ("code", found["error"]["message"])
        with pytest.raises(HttpError) as caught:
            session.get("/x?key=sk_secret")
    assert len(asked) == 1
    assert caught.value.code == "code"
    assert "sk_secret" not in str(caught.value)
    assert "ada@" not in str(caught.value)


def test_a_server_that_is_not_there_is_an_http_error() -> None:
    with pytest.raises(HttpError) as caught:
        _session("http://127.0.0.1:9", []).get("/x")
    assert caught.value.status == 0


def test_fetching_ahead_keeps_order_and_raises_in_place() -> None:
    def items() -> Iterator[int]:
        yield from range(5)
        raise ValueError("broken")

    got: list[int] = []
    with pytest.raises(ValueError, match="broken"):
        got.extend(ahead(items()))
    assert list(ahead(iter(range(3)))) == [0, 1, 2]
