"""Receivers of messages on the loopback interface: a webhook and a mail server.

Belongs here: what a receiver gets and how it misbehaves. Must not be here: any expectation.
"""

from __future__ import annotations

import json
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast


class Webhook(ThreadingHTTPServer):
    """Keeps what is posted; answers the next of `statuses`, else `status`, after a delay."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Post)
        self.received: list[dict[str, Any]] = []
        self.status = 200
        self.statuses: list[int] = []
        self.delay_seconds = 0.0

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.server_port}/hook/s3cret"


class _Post(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        server = cast(Webhook, self.server)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        assert self.headers["Content-Type"] == "application/json"
        server.received.append(json.loads(body))
        time.sleep(server.delay_seconds)
        self.send_response(server.statuses.pop(0) if server.statuses else server.status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


class MailServer(socketserver.ThreadingTCPServer):
    """Speaks as much SMTP as a mail needs; refuses with `refusal`, and `refused` receivers."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Conversation)
        self.received: list[EmailMessage] = []
        self.logins = 0
        self.refusal = b""
        self.refused: set[str] = set()

    @property
    def address(self) -> str:
        """Its host and port."""
        return f"127.0.0.1:{self.server_address[1]}"


class _Conversation(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        server = cast(MailServer, self.server)
        self.wfile.write(b"220 here\r\n")
        while line := self.rfile.readline():
            word = line[:4].upper()
            if word == b"EHLO":
                self.wfile.write(b"250-here\r\n250 AUTH PLAIN\r\n")
            elif word == b"AUTH":
                server.logins += 1
                self.wfile.write(b"235 welcome\r\n")
            elif word == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                data = b""
                while (line := self.rfile.readline()) != b".\r\n":
                    data += line
                server.received.append(message_from_bytes(data, policy=policy.default))
                self.wfile.write(b"250 taken\r\n")
            elif word == b"QUIT":
                self.wfile.write(b"221 bye\r\n")
                return
            elif word == b"RCPT" and any(name.encode() in line for name in server.refused):
                self.wfile.write(b"550 nobody of that name\r\n")
            else:
                refused = server.refusal and word == b"MAIL"
                self.wfile.write(server.refusal if refused else b"250 ok\r\n")


@contextmanager
def running(server: socketserver.BaseServer) -> Iterator[None]:
    """Let a receiver run."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
