"""A server between an agent and the gateway that passes everything on, and keeps both sides of every exchange."""

from __future__ import annotations

import http.client
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from types import TracebackType

_OWN = {"connection", "transfer-encoding", "content-length", "keep-alive", "date", "server"}
"""Headers that each connection has for itself."""


@dataclass
class Exchange:
    """One request of the agent and what it was answered; `answer` grows as it comes."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    status: int = 0
    answer: bytearray = field(default_factory=bytearray)


class Recorder:
    """The server, and what went through it."""

    def __init__(self, gateway_origin: str) -> None:
        self.gateway = urlsplit(gateway_origin).netloc
        self.exchanges: list[Exchange] = []
        self._server = _Server(self)
        self.origin = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Recorder:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 its name in the base class
        """Says nothing: what went through is in the exchanges."""

    def _pass_on(self) -> None:
        recorder = cast("_Server", self.server).recorder
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        exchange = Exchange(self.command, self.path, {name.lower(): it for name, it in self.headers.items()}, body)
        recorder.exchanges.append(exchange)
        connection = http.client.HTTPConnection(recorder.gateway, timeout=60)
        try:
            asked = {name: it for name, it in self.headers.items() if name.lower() not in {*_OWN, "host"}}
            connection.request(self.command, self.path, body or None, asked)
            self._answer(exchange, connection.getresponse())
        finally:
            connection.close()

    def _answer(self, exchange: Exchange, answer: http.client.HTTPResponse) -> None:
        exchange.status = answer.status
        self.send_response(answer.status)
        for name, content in answer.getheaders():
            if name.lower() not in _OWN:
                self.send_header(name, content)
        if self.command == "HEAD":
            self.send_header("Content-Length", answer.getheader("Content-Length") or "0")
            self.end_headers()
            return
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        while piece := answer.read1(65_536):
            exchange.answer += piece
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        self.wfile.write(b"0\r\n\r\n")

    do_GET = do_HEAD = do_POST = _pass_on  # noqa: N815 names that the base class looks for
