"""uvicorn's HTTP/1.1 protocol with our limits: what is read of a client, and taken apart in one way only.

Nothing that follows on a connection behind what is refused is heard.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import unquote

import httptools

from setpoint.errors import RequestError
from setpoint.server.connection.asgi import WATCHERS
from setpoint.server.connection.client_connection import ClientConnection, crowded
from setpoint.server.connection.framing import FRAMING, expects_continue
from setpoint.server.connection.resumed import has_body, parser_of, resumed
from setpoint.server.connection.turn import Turn

if TYPE_CHECKING:
    from collections.abc import Callable

    from setpoint.errors import SetpointError
    from setpoint.server.connection.connections import Connections

_FED_AT_ONCE = 16_384
_QUEUED = 16
_UNFED_BYTES = 65_536
_CROWDED_PATH = b"/health"
# A chunk of one byte costs five more on the wire; whoever sends more around a body than this sends something else.
_FREE_OVERHEAD = 4_096
_OVERHEAD_PER_BYTE = 8


class HttpProtocol(ClientConnection):
    """One client connection, with the parser that takes its bytes apart."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._parser = parser_of(self)
        self._upgrading = False
        self._reading_head = True
        self._in_message = False
        self._fed_head_bytes = 0
        self._head_bytes = 0
        self._framing: list[tuple[bytes, bytes]] = []
        self._wire_bytes = 0
        self._body_bytes = 0
        self._unfed = b""
        self._refusal: SetpointError | None = None

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has gone."""
        super().connection_lost(exc)
        del self._parser  # it holds our callbacks, and so ourselves

    def answered(self, turn: Turn) -> None:
        """The last byte of an answer has been written: on to the next request, if there may be one."""
        super().answered(turn)
        if self._unfed and not self.deaf:
            unfed, self._unfed = self._unfed, b""
            self._feed(unfed)

    # --- reading ---

    def data_received(self, data: bytes) -> None:
        """Parse what came, unless enough waits already; count what comes before a head is complete."""
        if self.deaf:
            self._discard(len(data))
        elif self._unfed or len(self.queue) >= _QUEUED:
            self._unfed += data
            self._mind_unfed()
        else:
            self._feed(data)

    def _feed(self, data: bytes) -> None:
        """Parse in pieces, so that thousands of small requests in one read cannot all become work at once."""
        view = memoryview(data)
        while view and not self.deaf:
            if len(self.queue) >= _QUEUED:
                self._unfed += bytes(view)
                self._mind_unfed()
                return
            piece, view = view[:_FED_AT_ONCE], view[_FED_AT_ONCE:]
            if self._reading_head:
                self._fed_head_bytes += len(piece)
            else:
                self._wire_bytes += len(piece)
            self._parse(piece)
        self._discard(len(view))

    def _mind_unfed(self) -> None:
        # Not before it must be: a client that leaves is only noticed while we read.
        if len(self._unfed) > _UNFED_BYTES:
            self.flow.pause_reading()

    def _parse(self, piece: memoryview) -> None:
        while piece:
            try:
                self._parser.feed_data(piece)
            except httptools.HttpParserUpgrade as upgrade:
                # It is not taken up: what follows is the body, else the next request.
                piece = piece[upgrade.args[0] :]
                if self._upgrading:
                    self._upgrading = False
                    self._parser = resumed(self, self._framing)
                continue
            except httptools.HttpParserError:
                if not self.deaf:
                    self._break_off()
                return
            break
        if self._reading_head:
            if self._fed_head_bytes > self.limits.max_header_bytes:
                self.refuse(_too_large(self.limits.max_header_bytes))
        elif self._in_message and self._wire_bytes > _FREE_OVERHEAD + (1 + _OVERHEAD_PER_BYTE) * self._body_bytes:
            self.fail_body(RequestError("invalid_request", "the chunks of the body are mostly something else"))

    def _break_off(self) -> None:
        """The parser gave up: answer once with the reason that a callback left, if any, and hear no more."""
        if self._parser.get_method() == b"PRI":
            self._refusal = RequestError("http_version_unsupported", "this server speaks HTTP/1.1 and HTTP/1.0")
        error = self._refusal or RequestError("invalid_request", "malformed HTTP request")
        if self._in_message:
            self.fail_body(error)
        else:
            self.refuse(error)

    def _discard(self, size: int) -> None:
        """Throw away what nobody will hear; a client that goes on for longer than any body is not worth it."""
        self.discarded += size
        if self.phase == "closing" and self.discarded > self.limits.max_body_bytes:
            self.cut()

    # --- the parser's callbacks ---

    def on_message_begin(self) -> None:
        """A new request starts on this connection."""
        if self.deaf:
            raise RequestError("invalid_request", "the connection was to end with the request before")
        self.url = b""
        self.headers = []
        self.begun = self._reading_head = True
        self._head_bytes = 0
        self._framing.clear()
        if self.turn is None:
            self.await_head()

    def on_url(self, url: bytes) -> None:
        """A piece of the request target."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """One whole header. Trailers, which come behind a body, are counted and thrown away."""
        self._count(len(name) + len(value) + 4)
        if not self._reading_head:
            return
        if len(self.headers) >= self.limits.max_headers:
            self._give_up(RequestError("headers_too_large", f"more than {self.limits.max_headers} headers"))
        name = name.lower()
        if name in FRAMING:
            self._framing.append((name, value))
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """All headers are there: the request may be routed, if it says one thing only."""
        version, method = self._parser.get_http_version(), self._parser.get_method().decode("ascii")
        try:
            expects = expects_continue(version, self._framing)
            target = httptools.parse_url(self.url)
        except RequestError as error:
            self._give_up(error)
        except httptools.HttpParserInvalidURLError:
            self._give_up(RequestError("invalid_request", "malformed request target"))
        path = target.path or b""
        if self.room == "crowded" and path != _CROWDED_PATH:
            self._give_up(crowded())
        self._reading_head = self.begun = False
        self._in_message = True
        self._fed_head_bytes = self._wire_bytes = self._body_bytes = 0
        self._upgrading = method != "CONNECT" and self._parser.should_upgrade() and has_body(self._framing)
        text = path.decode("ascii")
        scope = {
            "type": "http",
            "method": method,
            "http_version": version,
            "path": unquote(text) if "%" in text else text,
            "raw_path": path,
            "query_string": target.query or b"",
            "headers": self.headers,
            "client": self.client,
            "extensions": {WATCHERS: {"set": self.watchers}},
        }
        keep_alive = self._parser.should_keep_alive() and method != "CONNECT" and self.room == "ordinary"
        turn = Turn(self, scope, old=version == "1.0", keep_alive=keep_alive, expects=expects)
        self.latest = turn
        if self.turn is None:
            self.start(turn)
        else:
            self.queue.append(turn)

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        self._body_bytes += len(body)
        if self.latest is not None:
            self.latest.take(body)
        if self.phase == "body":
            self.deadline = self.loop.time() + self.limits.body_timeout_s

    def on_message_complete(self) -> None:
        """The request is whole; if it said that it is the last, nothing behind it is heard."""
        turn = self.latest
        if turn is None or self._upgrading:
            return
        self._in_message = False
        turn.end_body()
        self.deaf = not turn.keep_alive
        if turn is self.turn:
            self.flow.resume_reading()  # whoever waits for an answer is heard, if only going away
            self.await_progress()

    # --- refusals from inside the parser ---

    def _count(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > self.limits.max_header_bytes:
            self._give_up(_too_large(self.limits.max_header_bytes))

    def _give_up(self, error: SetpointError) -> NoReturn:
        """Stop the parser from inside one of its callbacks; it reports to `_break_off`."""
        self._refusal = error
        raise error


def _too_large(limit: int) -> RequestError:
    return RequestError("headers_too_large", f"the request's head is larger than {limit} bytes")


def protocol_class(registry: Connections) -> Callable[..., HttpProtocol]:
    """The protocol with the limits of this registry, as uvicorn wants it: something it can call for each connection."""
    return functools.partial(HttpProtocol, registry=registry)
