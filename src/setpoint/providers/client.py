"""The HTTP client towards providers: its few methods, and the pool of connections behind them.

Redirects are not followed, cookies not kept, proxies of the environment not used. Only this file and `answers.py` know
the library.
"""

from __future__ import annotations

import asyncio
import select
import ssl
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Protocol, TypeAlias, cast
from weakref import WeakKeyDictionary

import aiohttp
from aiohttp.client_proto import ResponseHandler
from msgspec import Struct

from setpoint.errors import GatewayError, ProviderError
from setpoint.providers.answers import LIBRARY_ERRORS, HttpAnswer, provider_error

if TYPE_CHECKING:
    from aiohttp.abc import AbstractStreamWriter
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace

Origin: TypeAlias = tuple[str, int | None]
"""The host and the port that connections go to."""

_HEADER_BYTES = 32_768
_PIECE_BYTES = 262_144
_POOL_IDLE_S = 15


class FetchRequest(Struct, frozen=True, kw_only=True):
    """One GET to a provider. Time limits are in seconds, None for none; `verify` is True, False or a CA file."""

    url: str
    headers: list[tuple[str, str]]
    connect_s: float | None
    total_s: float | None
    max_bytes: int
    proxy: str | None = None
    verify: bool | str = True


class UpstreamRequest(FetchRequest, frozen=True, kw_only=True):
    """One POST to a provider."""

    body: bytes


class Answer(Struct, frozen=True):
    """A whole answer. Header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class AnswerStream(Protocol):
    """An answer that is read piece by piece. `read` gives b"" at its end; `abort` closes the connection."""

    status: int
    headers: Mapping[str, str]

    async def read(self) -> bytes:
        """The bytes that have come, b"" at the end. Raises: `ProviderError`."""
        ...

    async def read_all(self) -> bytes:
        """All that is left, within the request's bound. Raises: `ProviderError`."""
        ...

    def abort(self) -> None:
        """Close the connection at once; the provider learns that nobody waits any more."""
        ...


class UpstreamClient(Protocol):
    """What the gateway knows of a way to a provider."""

    async def send(self, request: UpstreamRequest) -> Answer:
        """The whole answer. Raises: `ProviderError` when none came."""
        ...

    async def stream(self, request: UpstreamRequest) -> AnswerStream:
        """The answer once its headers are there. Raises: `ProviderError` when none came."""
        ...

    async def close(self) -> None:
        """Close all connections."""
        ...


class HttpClient:
    """The way to providers over HTTP. Made inside the running event loop; closes with `close`."""

    def __init__(self) -> None:
        self._tls: dict[bool | str, ssl.SSLContext | bool] = {True: True}
        self._session: aiohttp.ClientSession | None = None
        self._connector: _Connector | None = None

    def trust(self, wanted: Iterable[bool | str]) -> None:
        """Make ready what the `verify` of providers asks for, from the CA files as they are now.

        May be called from any thread; calls under way keep what they began with. Raises: `GatewayError` for a CA file
        that cannot be used, and then all is as before.
        """
        made: dict[bool | str, ssl.SSLContext | bool] = {True: True}
        for verify in wanted:
            if verify in made:
                continue
            try:
                made[verify] = _context(verify)
            except (OSError, ValueError) as error:
                raise GatewayError("unavailable", f"the CA file {verify} cannot be used") from error
        self._tls = made

    async def send(self, request: UpstreamRequest) -> Answer:
        """The whole answer. Raises: `ProviderError` when none came in time."""
        return await self._whole(request, request.body)

    async def fetch(self, request: FetchRequest) -> Answer:
        """The whole answer to a GET. Raises: `ProviderError` when none came in time."""
        return await self._whole(request, None)

    async def stream(self, request: UpstreamRequest) -> AnswerStream:
        """The answer once its headers are there. Raises: `ProviderError` when none came."""
        return await self._open(request, request.body)

    def pool(self) -> dict[Origin, tuple[int, int]]:
        """How many connections there are to each origin: in use, and idle."""
        return {} if self._connector is None else self._connector.pool()

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()

    async def _whole(self, request: FetchRequest, body: bytes | None) -> Answer:
        try:
            async with asyncio.timeout(request.total_s):
                stream = await self._open(request, body)
                return Answer(stream.status, stream.headers, await stream.read_all())
        except TimeoutError:
            raise ProviderError("timeout", "the provider did not answer in time") from None

    async def _open(self, request: FetchRequest, body: bytes | None) -> HttpAnswer:
        try:
            response = await self._use_session().request(
                "GET" if body is None else "POST",
                request.url,
                data=_Pieces(body) if body is not None and len(body) > _PIECE_BYTES else body,
                headers=request.headers,
                proxy=request.proxy,
                ssl=self._context(request.verify),
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=None, connect=request.connect_s),
            )
        except LIBRARY_ERRORS as error:
            raise provider_error(error) from error
        return HttpAnswer(response, request.max_bytes)

    def _use_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._connector = _Connector(limit=0, keepalive_timeout=_POOL_IDLE_S)
            self._session = aiohttp.ClientSession(
                connector=self._connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
                max_line_size=_HEADER_BYTES,
                max_field_size=_HEADER_BYTES,
            )
        return self._session

    def _context(self, verify: bool | str) -> ssl.SSLContext | bool:
        context = self._tls.get(verify)
        return _context(verify) if context is None else context


def _context(verify: bool | str) -> ssl.SSLContext | bool:
    return verify if isinstance(verify, bool) else ssl.create_default_context(cafile=verify)


class _Connector(aiohttp.TCPConnector):
    """A pool that never hands out a connection whose other end has closed it already, or has spoken unasked.

    The library hears of a close only with the event loop's next turn; a request sent meanwhile would be lost. And it
    takes an answer that came to no request for that to the next one, and so on for ever: each caller would read what
    belongs to the one before.
    """

    def __init__(self, *, limit: int, keepalive_timeout: float) -> None:
        super().__init__(  # pyright: ignore[reportUnknownMemberType] a default of the library's has no type
            limit=limit, keepalive_timeout=keepalive_timeout
        )
        self._origins: WeakKeyDictionary[ResponseHandler, Origin] = WeakKeyDictionary()

    def pool(self) -> dict[Origin, tuple[int, int]]:
        """How many connections there are to each origin: in use, and idle."""
        idle = Counter[Origin]()
        for key, waiting in self._conns.items():
            idle[key.host, key.port] += len(waiting)
        # Those that are being made stand there as something else.
        acquired = cast("Iterable[object]", self._acquired)
        made = (one for one in acquired if isinstance(one, ResponseHandler))
        in_use = Counter(origin for one in made if (origin := self._origins.get(one)))
        return {origin: (in_use[origin], idle[origin]) for origin in idle | in_use}

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 the library's signature
    ) -> Connection:
        while True:
            connection = await super().connect(req, traces, timeout)
            if connection.protocol not in self._origins:
                if connection.protocol is not None:
                    self._origins[connection.protocol] = (req.connection_key.host, req.connection_key.port)
                return connection
            if not _is_spoilt(connection):
                return connection
            connection.close()


def _is_spoilt(connection: Connection) -> bool:
    """Whether something came on a connection that rested: its end, or bytes that nobody asked for."""
    if connection.protocol is None or connection.protocol.should_close:
        return True
    handle = connection.transport.get_extra_info("socket") if connection.transport else None
    if handle is None:
        return False
    poll = select.poll()
    poll.register(handle.fileno(), select.POLLIN)
    return bool(poll.poll(0))


class _Pieces(aiohttp.Payload):
    """A big body that is sent piece by piece, each when the one before has left; it is never copied as a whole."""

    _value: bytes

    def __init__(self, body: bytes) -> None:
        super().__init__(body, content_type="application/json")
        self._size = len(body)

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return self._value.decode(encoding, errors)

    async def write(self, writer: AbstractStreamWriter) -> None:
        view = memoryview(self._value)
        for at in range(0, len(view), _PIECE_BYTES):
            await writer.write(view[at : at + _PIECE_BYTES])
