"""uvicorn's HTTP/1.1 protocol with our limits, and with word of a client that has gone.

The stock protocol takes headers of any size and number and requests without a Host. What is refused here never
reaches a route; it gets a plain JSON error, and the connection is closed.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, NoReturn

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from setpoint.errors import RequestError
from setpoint.protocols.chat.errors import write_error

if TYPE_CHECKING:
    from collections.abc import Callable

WATCHERS = "setpoint.watchers"
"""The ASGI extension that holds the set of functions to call when the client goes away."""


class HttpProtocol(HttpToolsProtocol):
    """One client connection. Sizes are in bytes and count the request line with the headers."""

    def __init__(self, *args: Any, max_header_bytes: int, max_headers: int, **more: Any) -> None:
        super().__init__(*args, **more)
        self._max_header_bytes = max_header_bytes
        self._max_headers = max_headers
        self._reading_head = True
        self._fed_head_bytes = 0
        self._head_bytes = 0
        self._hosts = 0
        self._refusal: RequestError | None = None
        self._watchers: set[Callable[[], object]] = set()

    def data_received(self, data: bytes) -> None:
        """Count what comes before a request's headers are complete, then parse it."""
        if self._reading_head:
            self._fed_head_bytes += len(data)
        super().data_received(data)
        if self._reading_head and self._fed_head_bytes > self._max_header_bytes:
            self._refuse(_too_large(self._max_header_bytes))

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002
        """Refuse a request that the parser gave up on, with the reason that a callback left, if any."""
        self._refuse(self._refusal or RequestError("invalid_request", "malformed HTTP request"))

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever works for this client that nobody waits any more."""
        super().connection_lost(exc)
        watchers, self._watchers = self._watchers, set()
        for watcher in watchers:
            watcher()

    def on_message_begin(self) -> None:
        """A new request starts on this connection."""
        super().on_message_begin()
        self._reading_head = True
        self._head_bytes = self._hosts = 0

    def on_url(self, url: bytes) -> None:
        """A piece of the request target."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """One whole header."""
        self._count(len(name) + len(value) + 4)
        if len(self.headers) >= self._max_headers:
            self._give_up(RequestError("headers_too_large", f"more than {self._max_headers} headers"))
        if name.lower() == b"host":
            self._hosts += 1
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """All headers are there: the request may be routed, if it says where it wants to go."""
        self._reading_head = False
        self._fed_head_bytes = 0
        version = self.parser.get_http_version() if self.parser else "1.1"
        if self._hosts > 1 or (self._hosts == 0 and version == "1.1"):
            self._give_up(RequestError("invalid_request", "exactly one Host header is required"))
        self.scope["extensions"] = {WATCHERS: {"set": self._watchers}}
        super().on_headers_complete()

    def _count(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > self._max_header_bytes:
            self._give_up(_too_large(self._max_header_bytes))

    def _give_up(self, error: RequestError) -> NoReturn:
        """Stop the parser from inside one of its callbacks; it reports to `send_400_response`."""
        self._refusal = error
        raise error

    def _refuse(self, error: RequestError) -> None:
        if self.transport.is_closing():
            return
        body = write_error(error)
        self.transport.write(
            b"HTTP/1.1 %d %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%s"
            % (error.status, b"Refused", len(body), body)
        )
        self.transport.close()


def _too_large(limit: int) -> RequestError:
    return RequestError("headers_too_large", f"the request's head is larger than {limit} bytes")


def protocol_class(*, max_header_bytes: int, max_headers: int) -> Callable[..., HttpProtocol]:
    """The protocol with these limits, as uvicorn wants it: something it can call for each connection."""
    return functools.partial(HttpProtocol, max_header_bytes=max_header_bytes, max_headers=max_headers)
