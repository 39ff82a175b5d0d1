"""One request on a connection and its answer: what the application calls to receive the one and send the other."""

from __future__ import annotations

import asyncio
import logging
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Protocol

from setpoint.errors import GatewayError
from setpoint.protocols.chat.errors import write_error

if TYPE_CHECKING:
    from collections.abc import Mapping

    from uvicorn.protocols.http.flow_control import FlowControl

    from setpoint.errors import SetpointError
    from setpoint.server.connection.asgi import Application, Message, Scope

_log = logging.getLogger("setpoint.server")

_BODY_HIGH_WATER = 65_536
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_BODILESS = frozenset({204, 304})
_BAD_NAME = re.compile(rb'[\x00-\x1f\x7f()<>@,;:\[\]={} \t\\"]')
_BAD_VALUE = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
# 529 is in no registry: it is what clients of the messages API know an overload by.
_REASONS = {**{status.value: status.phrase for status in HTTPStatus}, 529: "Overloaded"}
_STATUS_LINES = {status: f"HTTP/1.1 {status} {reason}\r\n".encode() for status, reason in _REASONS.items()}


class Line(Protocol):
    """What a turn needs of its connection."""

    flow: FlowControl

    def common_headers(self) -> list[tuple[bytes, bytes]]:
        """The headers of every answer."""
        ...

    def write(self, data: bytes) -> None:
        """Send bytes."""
        ...

    def may_stay(self) -> bool:
        """Whether the connection may carry another request."""
        ...

    def await_body(self) -> None:
        """The client is waited for again: its time starts anew."""
        ...

    def answered(self, turn: Turn) -> None:
        """The last byte of this turn's answer has been written."""
        ...

    def cut(self) -> None:
        """End the connection at once: the answer cannot be completed."""
        ...


class Turn:
    """The state of one request. The body waits here, up to a bound, until the application asks for it."""

    __slots__ = (
        "_chunked", "_expects", "_fault", "_head", "_heard", "_left", "_line", "_method", "_old", "_pieces", "_size",
        "body_complete", "complete", "disconnected", "keep_alive", "scope", "started",
    )  # fmt: skip

    def __init__(self, line: Line, scope: Scope, *, old: bool, keep_alive: bool, expects: bool) -> None:
        self._line = line
        self.scope = scope
        self._method: str = scope["method"]
        self._old = old
        self.keep_alive = keep_alive
        self._expects = expects
        self._heard = asyncio.Event()
        self._pieces: list[bytes] = []
        self._size = 0
        self._fault: SetpointError | None = None
        self._head = b""
        self._chunked = False
        self._left: int | None = None
        self.body_complete = False
        self.disconnected = False
        self.started = False
        self.complete = False

    # --- told by the connection ---

    def take(self, data: bytes) -> None:
        """A piece of the body."""
        if self.complete:
            return
        self._pieces.append(data)
        self._size += len(data)
        if self._size > _BODY_HIGH_WATER:
            self._line.flow.pause_reading()
        self._heard.set()

    def end_body(self) -> None:
        """The body is whole."""
        self.body_complete = True
        self._heard.set()

    def fail(self, error: SetpointError) -> None:
        """The rest of the body will not come, for this reason: it is the answer, unless there is one already."""
        self._fault = error
        self.keep_alive = False
        self._heard.set()

    def leave(self) -> None:
        """The client has gone."""
        self.disconnected = True
        self._heard.set()

    async def run(self, application: Application) -> None:
        """Answer, by the application; by ourselves when the request turned out broken before it began."""
        try:
            if self._fault is not None:
                self._refuse(self._fault)
            else:
                await application(self.scope, self.receive, self.send)
        except BaseException as error:
            if not isinstance(error, asyncio.CancelledError):
                _log.error("unforeseen error: %s", type(error).__name__)
            if not self.started and not self.disconnected:
                self._refuse(GatewayError("server", "Internal Server Error"))
            if not isinstance(error, Exception):
                raise
        finally:
            if not self.complete and not self.disconnected:
                self._line.cut()

    # --- called by the application ---

    async def receive(self) -> Message:
        """What has come of the body, or word that the client has gone. Raises: `SetpointError` when it cannot come."""
        if not self.disconnected and not self.complete:
            if self._expects:
                self._expects = False
                if not self._pieces and not self.body_complete:
                    self._line.write(_CONTINUE)
            self._line.await_body()
            await self._heard.wait()
            self._heard.clear()
        if self._fault is not None and not self.started:
            raise self._fault
        if self.disconnected or self.complete:
            return {"type": "http.disconnect"}
        data = b"".join(self._pieces)
        self._pieces.clear()
        self._size = 0
        return {"type": "http.request", "body": data, "more_body": not self.body_complete}

    async def send(self, message: Mapping[str, Any]) -> None:
        """Send the status and the headers, then pieces of the body; waits while the client takes nothing."""
        flow = self._line.flow
        if flow.write_paused and not self.disconnected:
            await flow.drain()
        if self.disconnected:
            return
        if not self.started:
            self._begin(message["status"], message.get("headers", ()))
            return
        if self.complete:
            raise RuntimeError("the answer is complete")
        more: bool = message.get("more_body", False)
        data = self._framed(message.get("body", b""), more=more)
        if self._head:
            data, self._head = self._head + data, b""
        if data:
            self._line.write(data)
        if not more:
            self._end()

    def _begin(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        """Write the head, which goes out with the first piece of the body."""
        self.started = True
        self._expects = False
        bodiless = self._method == "HEAD" or status in _BODILESS
        parts = [_STATUS_LINES[status]]
        for name, content in (*self._line.common_headers(), *headers):
            if _BAD_NAME.search(name) or _BAD_VALUE.search(content):
                raise RuntimeError("not a header")
            if name == b"content-length":
                self._left = int(content)
            elif name == b"connection" and content.lower() == b"close":
                self.keep_alive = False
                continue
            parts += (name, b": ", content, b"\r\n")
        if self._left is None and not bodiless:
            # "A server MUST NOT send a response containing Transfer-Encoding unless the corresponding request
            # indicates HTTP/1.1." (RFC 9112, 6.1) The end of the connection is the end of the body then.
            self._chunked = not self._old
            self.keep_alive = self.keep_alive and not self._old
            if self._chunked:
                parts.append(b"transfer-encoding: chunked\r\n")
        if bodiless:
            self._left = None
        if not self.body_complete or not self._line.may_stay():
            self.keep_alive = False
        if not self.keep_alive:
            parts.append(b"connection: close\r\n")
        elif self._old:
            parts.append(b"connection: keep-alive\r\n")
        parts.append(b"\r\n")
        self._head = b"".join(parts)

    def _framed(self, data: bytes, *, more: bool) -> bytes:
        if self._chunked:
            chunk = b"%x\r\n%s\r\n" % (len(data), data) if data else b""
            return chunk if more else chunk + b"0\r\n\r\n"
        if self._left is not None:
            self._left -= len(data)
            if self._left < 0 or (self._left and not more):
                raise RuntimeError("the body is not as long as its head says")
            return data
        return data if self._old and self._method != "HEAD" else b""

    def _refuse(self, error: SetpointError) -> None:
        self.started = True
        self.keep_alive = False
        self._line.write(refusal(error, bodiless=self._method == "HEAD"))
        self._end()

    def _end(self) -> None:
        self.complete = True
        self._pieces.clear()
        self._heard.set()
        self._line.answered(self)


def refusal(error: SetpointError, *, bodiless: bool = False) -> bytes:
    """A whole answer in the plain envelope, after which the connection ends."""
    body = write_error(error)
    wait = b"retry-after: %d\r\n" % error.retry_after_s if error.retry_after_s is not None else b""
    return b"%scontent-type: application/json\r\ncontent-length: %d\r\n%sconnection: close\r\n\r\n%s" % (
        _STATUS_LINES[error.status],
        len(body),
        wait,
        b"" if bodiless else body,
    )
