"""A failed night is told to a webhook; a failing webhook harms nothing."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import ClassVar

import pytest

from orchestration import alerts


class Receiver(BaseHTTPRequestHandler):
    received: ClassVar[list[dict[str, str]]] = []
    status: ClassVar[int] = 200

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.received.append(json.loads(body))
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def webhook(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Receiver]]:
    Receiver.received.clear()
    Receiver.status = 200
    server = HTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv(alerts.WEBHOOK, f"http://127.0.0.1:{server.server_port}/hook")
    yield Receiver
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_message_names_job_run_and_reason(webhook: type[Receiver]) -> None:
    assert alerts.send(alerts.failure_text("nightly", "0123456789", "a test failed"))
    (message,) = webhook.received
    assert "nightly failed (run 01234567). a test failed" in message["text"]
    assert "last sound night" in message["text"]


def test_without_a_webhook_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(alerts.WEBHOOK, raising=False)
    assert not alerts.send("text")


def test_a_refusing_webhook_is_reported_not_raised(webhook: type[Receiver]) -> None:
    webhook.status = 500
    assert not alerts.send("text")


def test_an_unreachable_webhook_is_reported_not_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(alerts.WEBHOOK, "http://127.0.0.1:9/nobody")
    assert not alerts.send("text")
