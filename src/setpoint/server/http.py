"""uvicorn's HTTP/1.1 protocol with our limits and deadlines, and with word of a client that has gone.

What is refused here never reaches a route: it gets a plain JSON error and the connection ends, in a way that lets a
client that is still sending read why. Nothing that follows on such a connection is heard.
"""

from __future__ import annotations

import functools
from collections import deque
from typing import TYPE_CHECKING, Any, NoReturn, cast
from urllib.parse import unquote

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from setpoint.errors import GatewayError, RequestError
from setpoint.server.connections import NEVER, Connections, Phase, Room
from setpoint.server.http_framing import FRAMING, expects_continue
from setpoint.server.http_resumed import has_body, parser_of, resumed
from setpoint.server.http_turn import Turn, refusal
from setpoint.server.unsent import Progress, forget_unsent, unsent_bytes

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from setpoint.errors import SetpointError
    from setpoint.server.http_limits import HttpLimits
    from setpoint.server.http_turn import Application

WATCHERS = "setpoint.watchers"
"""The ASGI extension that holds the set of functions to call when the client goes away."""

_FED_AT_ONCE = 16_384
_QUEUED = 16
_UNFED_BYTES = 65_536
_LINGER_S = 5.0
_CROWDED_HEAD_S = 2.0
_CROWDED_PATH = b"/health"
_PROGRESS_LOOKS = 4
# A chunk of one byte costs five more on the wire; whoever sends more around a body than this sends something else.
_FREE_OVERHEAD = 4_096
_OVERHEAD_PER_BYTE = 8


class HttpProtocol(HttpToolsProtocol):
    """One client connection. Sizes are in bytes, times in seconds of the loop's clock."""

    def __init__(self, *args: Any, limits: HttpLimits, registry: Connections, **more: Any) -> None:
        super().__init__(*args, **more)
        self._app = cast("Application", self.config.loaded_app)
        self._parser = parser_of(self)
        self._upgrading = False
        self.phase: Phase = "head"
        self.deadline = NEVER
        self._limits = limits
        self._registry = registry
        self._room: Room = "none"
        self._watchers: set[Callable[[], object]] = set()
        # What is being read.
        self._reading_head = True
        self._in_message = False
        self._begun = False
        self._fed_head_bytes = 0
        self._head_bytes = 0
        self._framing: list[tuple[bytes, bytes]] = []
        self._wire_bytes = 0
        self._body_bytes = 0
        self._unfed = b""
        self._deaf = False
        self._discarded = 0
        self._refusal: SetpointError | None = None
        # What is being answered.
        self._turn: Turn | None = None
        self._latest: Turn | None = None
        self._queue: deque[Turn] = deque()
        self._last_words: SetpointError | None = None
        self._progress = Progress()

    # --- the connection ---

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride] uvicorn narrows it likewise
        """A client has come: take it in, if there is room."""
        super().connection_made(transport)
        self._room = self._registry.add(self)
        if self._room == "none":
            self.cut()
            return
        patience = self._limits.header_timeout_s
        self.deadline = self.loop.time() + (min(patience, _CROWDED_HEAD_S) if self._room == "crowded" else patience)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever works for this client that nobody waits any more."""
        self._registry.discard(self)
        self.phase, self.deadline = "closing", NEVER
        if self._turn is not None:
            self._turn.leave()
        for turn in self._queue:
            turn.leave()
        self._queue.clear()
        super().connection_lost(exc)
        del self._parser  # it holds our callbacks, and so ourselves
        watchers, self._watchers = self._watchers, set()
        for watcher in watchers:
            watcher()

    def expire(self, now: float) -> None:
        """The deadline has passed: end what is too late, or set another."""
        match self.phase:
            case "idle":
                self._leave_idle()
            case "head" if self._begun:
                self._refuse(RequestError("request_timeout", "the request's head did not come in time"))
            case "head":
                self.transport.close()
            case "body" if self.flow.read_paused:
                self.deadline = now + self._limits.body_timeout_s
            case "body":
                self._fail_body(RequestError("request_timeout", "the request's body did not come in time"))
            case "closing" if not self.transport.get_write_buffer_size():
                self.cut()
            case "answering" | "closing":
                self._look_for_progress(now)

    def turn_away(self) -> None:
        """End at once, with a word if there is time for one: the place is needed."""
        if self.phase == "idle":
            self._leave_idle()
        elif self._turn is None and self.phase == "head":
            self.write(refusal(_crowded()))
            self._part(linger=False)
        else:
            self.cut()

    def shutdown(self) -> None:
        """The server stops: what is idle ends now, all else with its answer."""
        if self.phase == "idle" or (self.phase == "head" and not self._begun):
            self.transport.close()
        self._registry.draining = True

    def cut(self) -> None:
        """End the connection at once."""
        self.transport.abort()

    def write(self, data: bytes) -> None:
        """Send bytes."""
        self._progress.written += len(data)
        self.transport.write(data)

    def _leave_idle(self) -> None:
        # An answer that is not taken by now would keep the connection for ever.
        if unsent_bytes(self.transport):
            forget_unsent(self.transport)
            self.cut()
        else:
            self.transport.close()

    def _part(self, *, linger: bool) -> None:
        """End the connection behind what was written. A client that still sends is let finish, for a while: closed
        under its hands, the system would tell it of a reset before it has read its answer."""
        now = self.loop.time()
        self._deaf = True
        wait = _LINGER_S if linger else self._limits.write_timeout_s / _PROGRESS_LOOKS
        self.phase, self.deadline = "closing", now + wait
        self._progress.begin(now)
        if linger:
            self.flow.resume_reading()
            self.transport.write_eof()
        else:
            self.transport.close()

    def _look_for_progress(self, now: float) -> None:
        """End the connection when its client has taken nothing of what waits for it for too long."""
        if self._progress.stands_still(self.transport, now, self._limits.write_timeout_s):
            forget_unsent(self.transport)
            self.cut()
        self.deadline = now + self._limits.write_timeout_s / _PROGRESS_LOOKS

    # --- reading ---

    def data_received(self, data: bytes) -> None:
        """Parse what came, unless enough waits already; count what comes before a head is complete."""
        if self._deaf:
            self._discard(len(data))
        elif self._unfed or len(self._queue) >= _QUEUED:
            self._unfed += data
            self._mind_unfed()
        else:
            self._feed(data)

    def _feed(self, data: bytes) -> None:
        """Parse in pieces, so that thousands of small requests in one read cannot all become work at once."""
        view = memoryview(data)
        while view and not self._deaf:
            if len(self._queue) >= _QUEUED:
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
                if not self._deaf:
                    self._break_off()
                return
            break
        if self._reading_head:
            if self._fed_head_bytes > self._limits.max_header_bytes:
                self._refuse(_too_large(self._limits.max_header_bytes))
        elif self._in_message and self._wire_bytes > _FREE_OVERHEAD + (1 + _OVERHEAD_PER_BYTE) * self._body_bytes:
            self._fail_body(RequestError("invalid_request", "the chunks of the body are mostly something else"))

    def _break_off(self) -> None:
        """The parser gave up: answer once with the reason that a callback left, if any, and hear no more."""
        if self._parser.get_method() == b"PRI":
            self._refusal = RequestError("http_version_unsupported", "this server speaks HTTP/1.1 and HTTP/1.0")
        error = self._refusal or RequestError("invalid_request", "malformed HTTP request")
        if self._in_message:
            self._fail_body(error)
        else:
            self._refuse(error)

    def _fail_body(self, error: SetpointError) -> None:
        self._deaf = True
        if self._latest is not None:
            self._latest.fail(error)
            self._await_progress()

    def _refuse(self, error: SetpointError) -> None:
        """Answer with an error, behind the answers that are still due, and part."""
        self._deaf = True
        if self._turn is not None:
            self._last_words = error
            return
        self.write(refusal(error))
        self._part(linger=True)

    def _discard(self, size: int) -> None:
        """Throw away what nobody will hear; a client that goes on for longer than any body is not worth it."""
        self._discarded += size
        if self.phase == "closing" and self._discarded > self._limits.max_body_bytes:
            self.cut()

    # --- the parser's callbacks ---

    def on_message_begin(self) -> None:
        """A new request starts on this connection."""
        if self._deaf:
            raise RequestError("invalid_request", "the connection was to end with the request before")
        self.url = b""
        self.headers = []
        self._begun = self._reading_head = True
        self._head_bytes = 0
        self._framing.clear()
        if self._turn is None:
            self._await_head()

    def on_url(self, url: bytes) -> None:
        """A piece of the request target."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """One whole header. Trailers, which come behind a body, are counted and thrown away."""
        self._count(len(name) + len(value) + 4)
        if not self._reading_head:
            return
        if len(self.headers) >= self._limits.max_headers:
            self._give_up(RequestError("headers_too_large", f"more than {self._limits.max_headers} headers"))
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
        if self._room == "crowded" and path != _CROWDED_PATH:
            self._give_up(_crowded())
        self._reading_head = self._begun = False
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
            "extensions": {WATCHERS: {"set": self._watchers}},
        }
        keep_alive = self._parser.should_keep_alive() and method != "CONNECT" and self._room == "ordinary"
        turn = Turn(self, scope, old=version == "1.0", keep_alive=keep_alive, expects=expects)
        self._latest = turn
        if self._turn is None:
            self._start(turn)
        else:
            self._queue.append(turn)

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        self._body_bytes += len(body)
        if self._latest is not None:
            self._latest.take(body)
        if self.phase == "body":
            self.deadline = self.loop.time() + self._limits.body_timeout_s

    def on_message_complete(self) -> None:
        """The request is whole; if it said that it is the last, nothing behind it is heard."""
        turn = self._latest
        if turn is None or self._upgrading:
            return
        self._in_message = False
        turn.end_body()
        self._deaf = not turn.keep_alive
        if turn is self._turn:
            self._await_progress()

    # --- answering ---

    def _start(self, turn: Turn) -> None:
        self._turn = turn
        if turn.body_complete:
            self._await_progress()
        else:
            self.phase = "body"
            self.await_body()
        task = self.loop.create_task(turn.run(self._app))
        task.add_done_callback(self.tasks.discard)
        self.tasks.add(task)

    def answered(self, turn: Turn) -> None:
        """The last byte of an answer has been written: on to the next request, if there may be one."""
        self.server_state.total_requests += 1
        self._turn = None
        if self.transport.is_closing():
            return
        if not turn.keep_alive:
            self._part(linger=not turn.body_complete or self._discarded > 0)
            return
        self.flow.resume_reading()
        if self._queue:
            self._start(self._queue.popleft())
        elif self._last_words is not None:
            self._refuse(self._last_words)
        elif self._begun:
            self._await_head()
        else:
            self._rest()
        if self._unfed:
            unfed, self._unfed = self._unfed, b""
            self._feed(unfed)

    def may_stay(self) -> bool:
        """Whether the connection may carry another request."""
        return not self._registry.draining

    def common_headers(self) -> list[tuple[bytes, bytes]]:
        """The headers of every answer: the date."""
        return self.server_state.default_headers

    def await_body(self) -> None:
        """The client is waited for again: its time starts anew."""
        if self.phase == "body":
            self.flow.resume_reading()
            self.deadline = self.loop.time() + self._limits.body_timeout_s

    def _await_head(self) -> None:
        self.phase = "head"
        if self._room == "ordinary":  # in the reserve the time runs from the accept
            self.deadline = self.loop.time() + self._limits.header_timeout_s

    def _await_progress(self) -> None:
        self.phase = "answering"
        now = self.loop.time()
        self._progress.begin(now)
        self.deadline = now + self._limits.write_timeout_s / _PROGRESS_LOOKS

    def _rest(self) -> None:
        """Between two requests; nothing of the last is kept, for there may be thousands who rest."""
        self.phase = "idle"
        self.deadline = self.loop.time() + self._limits.keep_alive_timeout_s
        self._latest = None
        self.headers = []

    # --- refusals from inside the parser ---

    def _count(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > self._limits.max_header_bytes:
            self._give_up(_too_large(self._limits.max_header_bytes))

    def _give_up(self, error: SetpointError) -> NoReturn:
        """Stop the parser from inside one of its callbacks; it reports to `_break_off`."""
        self._refusal = error
        raise error


def _too_large(limit: int) -> RequestError:
    return RequestError("headers_too_large", f"the request's head is larger than {limit} bytes")


def _crowded() -> GatewayError:
    return GatewayError("unavailable", "too many connections", retry_after_s=1)


def protocol_class(limits: HttpLimits, registry: Connections) -> Callable[..., HttpProtocol]:
    """The protocol with these limits, as uvicorn wants it: something it can call for each connection."""
    return functools.partial(HttpProtocol, limits=limits, registry=registry)
