"""A small threaded HTTP/1.1 server that several vendor services share.

Belongs here: sockets, keep-alive, request parsing, fault injection on the wire, JSON encoding.
Does not belong here: what a vendor's path means or what its errors look like; a service says that.
"""

from __future__ import annotations

import json
import math
import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol, TypeAlias
from urllib.parse import parse_qsl, urlsplit

from sample_company.servers.drift import Drifts
from sample_company.servers.faults import Fault, Faults

Json: TypeAlias = Any
_MAX_BODY_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True)
class Request:
    """One request as a service sees it; header names are lower case, the query keeps its order."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    body: bytes = b""

    def get(self, name: str) -> str | None:
        """The last value given for a query parameter, or None."""
        found = None
        for key, value in self.query:
            if key == name:
                found = value
        return found

    def all(self, *names: str) -> list[str]:
        """Every value given for any of these parameter names, in order."""
        return [value for key, value in self.query if key in names]

    def form(self) -> dict[str, str]:
        """The body read as an HTML form."""
        return dict(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))


@dataclass
class Response:
    """Status, body and headers; a service fills in everything but the length."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


_encode = json.JSONEncoder(
    separators=(",", ":"), ensure_ascii=False, check_circular=False, allow_nan=False
).encode


def dumps(value: Json) -> bytes:
    """JSON as vendors send it: compact, UTF-8, no NaN (a NaN here is a bug and raises)."""
    return _encode(value).encode("utf-8")


def json_response(value: Json, status: int = 200, **headers: str) -> Response:
    """A JSON response; header names are given with underscores."""
    return Response(
        status, dumps(value), {name.replace("_", "-"): text for name, text in headers.items()}
    )


class Service(Protocol):
    """What a vendor server must offer to be put on a socket."""

    name: str

    def handle(self, request: Request) -> Response:
        """Answer one request; called from many threads at once."""
        ...

    def page_key(self, request: Request) -> str:
        """What all pages of one listing have in common."""
        ...

    def fault_response(self, request: Request, fault: Fault) -> Response:
        """The vendor's own error body for a fault that replaces the answer."""
        ...

    def crash_response(self, request: Request, error: Exception) -> Response:
        """The vendor's own error body for a defect in this service."""
        ...


class TokenBucket:
    """Requests allowed per second, with a burst of the same size; thread-safe."""

    def __init__(self, per_second: float) -> None:
        self._rate = per_second
        self._level = max(per_second, 1.0)
        self._capacity = self._level
        self._at = time.monotonic()
        self._lock = threading.Lock()

    def take(self) -> float:
        """Take one request: 0.0 when allowed, otherwise the seconds to wait."""
        with self._lock:
            now = time.monotonic()
            self._level = min(self._capacity, self._level + (now - self._at) * self._rate)
            self._at = now
            if self._level >= 1.0:
                self._level -= 1.0
                return 0.0
            return (1.0 - self._level) / self._rate


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], owner: Server) -> None:
        self.owner = owner
        super().__init__(address, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no error worth a traceback."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Listener
    # A keep-alive client that has gone silent must not hold its thread for ever.
    timeout = 120

    def setup(self) -> None:
        # Head and body leave in one segment; with Nagle's algorithm a page costs 40 ms more.
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().setup()

    def log_message(self, format: str, *args: Any) -> None:
        """Stay silent: queries of a CRM can carry personal data."""

    def do_GET(self) -> None:
        self._serve()

    do_POST = do_DELETE = do_PATCH = do_PUT = do_HEAD = do_GET  # noqa: N815

    def _serve(self) -> None:
        split = urlsplit(self.path)
        try:
            length = int(self.headers.get("Content-Length") or 0)
        except ValueError:
            length = 0
        if length > _MAX_BODY_BYTES:
            self.close_connection = True
            self._send(Response(413, b"{}"), None)
            return
        request = Request(
            method=self.command,
            path=split.path,
            query=tuple(parse_qsl(split.query, keep_blank_values=True)),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self.rfile.read(length) if length else b"",
        )
        response, cut = self.server.owner.answer(request)
        self._send(response, cut)

    def _send(self, response: Response, cut: Fault | None) -> None:
        body = response.body
        announced = len(body)
        if cut is not None:
            body = body[: math.floor(len(body) * cut.keep)]
            # A proxy that gives up announces the whole page and hangs up; a broken upstream
            # announces the stump as if it were complete. Clients must survive both.
            if cut.announce == "short":
                announced = len(body)
            else:
                self.close_connection = True
        status = response.status
        try:
            reason = self.responses[HTTPStatus(status)][0]
        except ValueError:
            reason = ""
        head = [f"HTTP/1.1 {status} {reason}", f"Content-Length: {announced}"]
        if "Content-Type" not in response.headers:
            head.append("Content-Type: application/json;charset=UTF-8")
        head += [f"{name}: {value}" for name, value in response.headers.items()]
        if self.close_connection:
            head.append("Connection: close")
        if self.command == "HEAD":
            body = b""
        self.wfile.write(("\r\n".join(head) + "\r\n\r\n").encode("latin-1") + body)


class Server:
    """One service on one loopback port, with faults injected between socket and service."""

    def __init__(
        self,
        service: Service,
        faults: Faults | None = None,
        drifts: Drifts | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self.service = service
        self.faults = faults if faults is not None else Faults()
        self.drifts = drifts if drifts is not None else Drifts()
        self.last_request_at = time.monotonic()
        self.requests = 0
        self._previous: dict[str, Response] = {}
        self._lock = threading.Lock()
        self._listener = _Listener((host, port), self)
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        """The port the server listens on."""
        return int(self._listener.server_address[1])

    @property
    def url(self) -> str:
        """Base address without a trailing slash."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> Server:
        """Serve from a background thread."""
        self._thread = threading.Thread(
            target=self._listener.serve_forever,
            kwargs={"poll_interval": 0.05},
            name=f"{self.service.name}-server",
            daemon=True,
        )
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop listening and give the port back."""
        if self._thread is not None:
            self._listener.shutdown()
            self._thread.join()
            self._thread = None
        self._listener.server_close()

    def answer(self, request: Request) -> tuple[Response, Fault | None]:
        """The response to send and, if its body is to be cut, the fault that says how."""
        with self._lock:
            self.requests += 1
            self.last_request_at = time.monotonic()
        cut: Fault | None = None
        for fault in self.faults.take(self.service.name, request.path, request.query):
            if fault.kind == "slow":
                time.sleep(fault.seconds)
            elif fault.kind == "cut_body":
                cut = fault
            elif fault.kind == "repeat_page":
                previous = self._previous.get(self.service.page_key(request))
                if previous is not None:
                    return previous, None
            else:
                return self.service.fault_response(request, fault), None
        try:
            asked = self.drifts.asked(self.service.name, request)
            if isinstance(asked, Response):
                return asked, cut
            answered = self.service.handle(asked)
            response = self.drifts.answered(self.service.name, asked, answered)
        except Exception as error:  # noqa: BLE001  # a defect is answered as the vendor would: 500
            response = self.service.crash_response(request, error)
        if self.faults.watches_pages and request.method == "GET" and response.status == 200:
            self._previous[self.service.page_key(request)] = response
        return response, cut
