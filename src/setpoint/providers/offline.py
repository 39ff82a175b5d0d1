"""The way to the offline model: the same three methods as to a provider, with no socket in between."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from setpoint.providers.client import Answer
from setpoint.providers.echo import dialect_of, reply

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from setpoint.providers.client import UpstreamRequest
    from setpoint.providers.echo import EchoReply

_AT_ONCE_BYTES = 262_144
_JSON = {"content-type": "application/json"}
_STREAM = {"content-type": "text/event-stream"}


class EchoClient:
    """Answers with the echo model. `interval_s` is the pause between the pieces of a stream, in seconds.

    The dialect is that of the path which the request goes to, as it would be at a provider.
    """

    def __init__(self, interval_s: float, now_s: Callable[[], float] = time.time) -> None:
        self._interval_s = interval_s
        self._now_s = now_s

    async def send(self, request: UpstreamRequest) -> Answer:
        """The whole answer."""
        said = await self._reply(request)
        return Answer(said.status, _JSON, said.body)

    async def stream(self, request: UpstreamRequest) -> EchoStream:
        """The streamed answer."""
        said = await self._reply(request)
        if said.frames:
            return EchoStream(said.status, _STREAM, said.frames, self._interval_s)
        return EchoStream(said.status, _JSON, (said.body,), 0)

    async def close(self) -> None:
        """There is nothing to close."""

    async def _reply(self, request: UpstreamRequest) -> EchoReply:
        told = dialect_of(request.url) or "chat"
        created = int(self._now_s())
        if len(request.body) <= _AT_ONCE_BYTES:
            return reply(request.body, told, created=created)
        return await asyncio.to_thread(reply, request.body, told, created=created)


class EchoStream:
    """The pieces of an answer, one after the other."""

    def __init__(self, status: int, headers: Mapping[str, str], pieces: tuple[bytes, ...], interval_s: float) -> None:
        self.status = status
        self.headers = headers
        self._pieces = iter(pieces)
        self._interval_s = interval_s

    async def read(self) -> bytes:
        """The next piece, b"" at the end; all that is left at once when there is no pause between pieces."""
        if self._interval_s <= 0:
            return b"".join(self._pieces)
        await asyncio.sleep(self._interval_s)
        return next(self._pieces, b"")

    async def read_all(self) -> bytes:
        """All that is left."""
        return b"".join(self._pieces)

    def abort(self) -> None:
        """End it here."""
        self._pieces = iter(())
