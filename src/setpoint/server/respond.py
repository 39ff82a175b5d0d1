"""Answers: the one place that turns an exception into a response, and the writer of event streams."""

from __future__ import annotations

import asyncio
import logging
import re
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from setpoint.errors import ErrorType, GatewayError, ProviderError, SetpointError
from setpoint.gateway.redaction import REDACTED
from setpoint.ids import KEY
from setpoint.protocols.registry import PROTOCOLS
from setpoint.wire.sse import KEEP_ALIVE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from msgspec import Raw

    from setpoint.protocols.base import Room
    from setpoint.server.connection.asgi import Send

_log = logging.getLogger("setpoint.server")
_json = msgspec.json.Encoder()
EVENTS = "text/event-stream"
_KEY = re.compile(KEY.pattern.encode())
_unsafe = re.compile(r"[^\x20-\x7e]")


class Response(Struct, frozen=True):
    """A whole answer: status, body, and headers beside those that every answer has. `error` is what it tells of."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()
    content_type: str = "application/json"
    error: ErrorType | None = None


def json_response(content: Any, status: int = 200) -> Response:
    """A JSON answer."""
    return Response(status, _json.encode(content))


def error_response(
    error: SetpointError,
    *,
    skin: Room | None = None,
    id_: str | None = None,
    show_upstream: bool = False,
    headers: Mapping[str, str] | None = None,
    metadata: Raw | None = None,
) -> Response:
    """The answer that an error becomes, in the words of a skin; None: of the preset and management routes.

    `id_` is the generation's, None when nothing was routed.
    """
    skin = skin or PROTOCOLS["chat"]
    status = skin.error_status(error)
    if show_upstream and isinstance(error, ProviderError) and error.raw:
        error.metadata.setdefault("raw", error.raw)
    sent = {**(headers or {}), **error.headers}
    if error.retry_after_s is not None and status in (429, 503, 529):
        sent["Retry-After"] = str(error.retry_after_s)
    # What a message quotes, a model or a slug, may be a key in the wrong place; and errors end in somebody's log.
    body = _KEY.sub(REDACTED.encode(), skin.write_error(error, id_, metadata))
    return Response(status, body, tuple(sent.items()), error=error.type)


def unforeseen(error: Exception) -> GatewayError:
    """The error that the caller sees of a fault of ours; the fault itself goes to the log."""
    _log.error("unforeseen error: %s", type(error).__name__, exc_info=without_values(error))
    return GatewayError("server", "Internal Server Error")


def without_values(error: BaseException) -> tuple[type[BaseException], BaseException, Any]:
    """The traceback of an error whose message, which may quote a prompt or a key, is left out."""
    bare = RuntimeError(type(error).__name__)
    return RuntimeError, bare, error.__traceback__


def header_text(text: str) -> str:
    """Text that is safe as a header value: visible ASCII, all else percent-encoded."""
    return _unsafe.sub(lambda match: "".join(f"%{byte:02X}" for byte in match.group().encode("utf-8", "replace")), text)


async def send_response(send: Send, response: Response) -> None:
    """Send a whole answer."""
    await send(
        {
            "type": "http.response.start",
            "status": response.status,
            "headers": [
                (b"content-type", response.content_type.encode()),
                (b"content-length", str(len(response.body)).encode()),
                *_encoded(response.headers),
            ],
        }
    )
    await send({"type": "http.response.body", "body": response.body})


def _encoded(headers: tuple[tuple[str, str], ...]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode(), header_text(text).encode()) for name, text in headers]


class EventStream:
    """The writer of one event stream.

    The status goes out with the first event, or after `commit_s` without one, with a comment; a comment follows after
    every `keep_alive_s` of silence, or what the skin has for that (`keep_alive`) once there were events. Times are in
    seconds. `headers` is asked for when the status goes out. One timer does both; it is idle while events flow.
    """

    def __init__(
        self,
        send: Send,
        headers: Callable[[], Mapping[str, str]],
        *,
        commit_s: float,
        keep_alive_s: float,
        keep_alive: bytes = KEEP_ALIVE,
    ) -> None:
        self._send = send
        self._keep_alive = keep_alive
        self._begun = False
        self._headers = headers
        self._keep_alive_s = keep_alive_s
        self._loop = asyncio.get_running_loop()
        self._last = self._loop.time()
        self._timer = self._loop.call_later(commit_s, self._beat)
        self._beating: asyncio.Task[None] | None = None
        self._ended = False
        self.started = False

    async def write(self, data: bytes) -> None:
        """Send whole events; the status and the headers before the first."""
        self._begun = True
        await self._write(data)

    async def _write(self, data: bytes) -> None:
        self._last = self._loop.time()
        if not self.started:
            await self._start()
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def end(self, data: bytes = b"") -> None:
        """Send the last events and end the answer."""
        self.stop()
        if not self.started:
            await self._start()
        await self._send({"type": "http.response.body", "body": data, "more_body": False})

    def stop(self) -> None:
        """Send no more comments."""
        self._ended = True
        self._timer.cancel()

    async def _start(self) -> None:
        self.started = True
        headers = [
            (b"content-type", EVENTS.encode()),
            (b"cache-control", b"no-cache"),
            (b"x-accel-buffering", b"no"),
            *_encoded(tuple(self._headers().items())),
        ]
        await self._send({"type": "http.response.start", "status": 200, "headers": headers})
        if not self._ended:
            self._timer.cancel()
            self._timer = self._loop.call_later(self._keep_alive_s, self._beat)

    def _beat(self) -> None:
        silence = self._loop.time() - self._last
        if self.started and silence < self._keep_alive_s:
            self._timer = self._loop.call_later(self._keep_alive_s - silence, self._beat)
            return
        self._timer = self._loop.call_later(self._keep_alive_s, self._beat)
        if self._beating is None or self._beating.done():  # one comment waits for a client that takes nothing, not all
            self._beating = self._loop.create_task(self._comment())

    async def _comment(self) -> None:
        if not self._ended:
            await self._write(self._keep_alive if self._begun else KEEP_ALIVE)
