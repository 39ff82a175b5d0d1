"""One HTTP request as handlers see it."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar, cast
from urllib.parse import parse_qs

from setpoint.errors import RequestError
from setpoint.gateway.aside import BIG_BYTES
from setpoint.server.connection.asgi import WATCHERS
from setpoint.server.packing import too_large, unpacked
from setpoint.wire.body import MalformedError, split

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator

    from setpoint.gateway.aside import Aside
    from setpoint.records import Key
    from setpoint.server.connection.asgi import Receive, Scope, Send
    from setpoint.wire.body import Body

T = TypeVar("T")

# How long a body may take, in seconds, before its key is looked at once more: half of what a key may outlive its end.
_LONG_S = 0.5


class BodyLimits:
    """Bounds on a request body: bytes, levels of nesting, members of one object or array."""

    __slots__ = ("max_bytes", "max_depth", "max_members")

    def __init__(self, max_bytes: int, max_depth: int, max_members: int) -> None:
        self.max_bytes = max_bytes
        self.max_depth = max_depth
        self.max_members = max_members


class Request:
    """A request whose route is known. Header names are lower case; of equal ones the last counts.

    `readmit` asks once more whether its key may do this: whoever sends a body takes as long as they like. It is given
    the request, and does not hold it: a circle would keep all that belongs to it.
    """

    def __init__(
        self, scope: Scope, receive: Receive, send: Send, params: dict[str, str], limits: BodyLimits, aside: Aside
    ) -> None:
        self.scope = scope
        self.send = send
        self.params = params
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self._receive = receive
        self._limits = limits
        self._aside = aside
        self._key: Key | None = None
        self.readmit: Callable[[Request], Awaitable[None]] | None = None

    @property
    def method(self) -> str:
        """The HTTP method."""
        return cast("str", self.scope["method"])

    @property
    def peer(self) -> str:
        """The address at the other end of the connection."""
        peer: tuple[str, int] | None = self.scope["client"]
        return peer[0] if peer else ""

    @property
    def key(self) -> Key:
        """The caller's key; only on routes that need one."""
        if self._key is None:
            raise RuntimeError("this route does not ask for a key")
        return self._key

    @key.setter
    def key(self, key: Key) -> None:
        self._key = key

    def header(self, name: bytes) -> str | None:
        """A header's text, None when it is absent."""
        content = self.headers.get(name)
        return None if content is None else content.decode("latin-1")

    def header_values(self, name: bytes) -> list[str]:
        """Every value of a header that may be there more than once, in order."""
        return [content.decode("latin-1") for known, content in self.scope["headers"] if known == name]

    def query(self) -> dict[str, str]:
        """The query's parameters; of equal ones the last counts."""
        text = self.scope["query_string"].decode("latin-1")
        return {name: found[-1] for name, found in parse_qs(text, keep_blank_values=True).items()}

    @contextmanager
    def watched(self, on_disconnect: Callable[[], object]) -> Generator[None, None, None]:
        """While the block runs, have this called when the client goes away."""
        # A connection may carry the next request already while the last one is being ended: each has its own watcher.
        watchers: set[Callable[[], object]] = self.scope.get("extensions", {}).get(WATCHERS, {}).get("set", set())
        watchers.add(on_disconnect)
        try:
            yield
        finally:
            watchers.discard(on_disconnect)

    async def read(self) -> bytes:
        """The whole body.

        Raises: `RequestError`, payload_too_large from the header or while reading, and what `readmit` does.
        """
        began = asyncio.get_running_loop().time()
        limit = self._limits.max_bytes
        declared = self.headers.get(b"content-length", b"0")
        if declared.isdigit() and int(declared[:20]) > limit:
            raise too_large(limit)
        message = await self._receive()
        data: bytes = message.get("body", b"")
        if message.get("more_body", False):
            pieces, size = [data], len(data)
            while message.get("more_body", False):
                message = await self._receive()
                pieces.append(message.get("body", b""))
                size += len(pieces[-1])
                if size > limit:
                    raise too_large(limit)
            data = b"".join(pieces)
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        if self.readmit is not None and asyncio.get_running_loop().time() - began > _LONG_S:
            await self.readmit(self)
        if len(data) > limit:
            raise too_large(limit)
        codings = self.header_values(b"content-encoding") if b"content-encoding" in self.headers else None
        return data if codings is None else await self._unless_gone(unpacked(data, ",".join(codings), limit))

    async def body(self) -> Body:
        """The JSON body, taken apart. Raises: `RequestError` for what is no JSON object, or too much of one."""
        data = await self.read()
        return await self.aside(len(data), lambda: self.parsed(data))

    async def aside(self, size: int, work: Callable[[], T]) -> T:
        """What this work on so many bytes gives; the event loop turns meanwhile when they are many.

        Raises: what the work raises; `ClientGoneError`.
        """
        return work() if size <= BIG_BYTES else await self._unless_gone(self._aside.run(size, work))

    async def _unless_gone(self, work: Awaitable[T]) -> T:
        """What this gives. Raises: `ClientGoneError` when the client has left meanwhile: nobody else would notice."""
        gone: list[bool] = []
        with self.watched(lambda: gone.append(True)):
            done = await work
        if gone:
            raise ClientGoneError
        return done

    def parsed(self, data: bytes) -> Body:
        """A JSON body that has been read, taken apart. Raises: as `body`."""
        try:
            return split(data, max_depth=self._limits.max_depth, max_members=self._limits.max_members)
        except MalformedError as error:
            raise RequestError("invalid_request", f"Invalid request body: {error}") from None


class ClientGoneError(Exception):
    """The client went away before its request was whole: there is nobody to answer."""
