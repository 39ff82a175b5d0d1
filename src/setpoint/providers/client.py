"""The HTTP client towards providers: three methods, and the only file that knows the library behind them.

Redirects are not followed, cookies not kept, proxies of the environment not used. Bytes are handed on as they come:
the library's line reader (64 kB a line) is never used. An answer that is compressed although it was not asked to be
is unpacked within a cap.
"""

from __future__ import annotations

import asyncio
import select
import socket
import ssl
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Protocol, TypeAlias, cast
from weakref import WeakKeyDictionary

import aiohttp
from aiohttp.client_proto import ResponseHandler
from msgspec import Struct

from setpoint.errors import GatewayError, ProviderError

if TYPE_CHECKING:
    from aiohttp.abc import AbstractStreamWriter
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace

Origin: TypeAlias = tuple[str, int | None]
"""The host and the port that connections go to."""

_HEADER_BYTES = 32_768
_PIECE_BYTES = 262_144
_POOL_IDLE_S = 15
_LIBRARY_ERRORS = (aiohttp.ClientError, OSError, ValueError)


class UpstreamRequest(Struct, frozen=True, kw_only=True):
    """One POST to a provider. Time limits are in seconds, None for none; `verify` is True, False or a CA file."""

    url: str
    headers: list[tuple[str, str]]
    body: bytes
    connect_s: float | None
    total_s: float | None
    max_bytes: int
    proxy: str | None = None
    verify: bool | str = True


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
        try:
            async with asyncio.timeout(request.total_s):
                stream = await self._open(request)
                return Answer(stream.status, stream.headers, await stream.read_all())
        except TimeoutError:
            raise ProviderError("timeout", "the provider did not answer in time") from None

    async def stream(self, request: UpstreamRequest) -> AnswerStream:
        """The answer once its headers are there. Raises: `ProviderError` when none came."""
        return await self._open(request)

    def pool(self) -> dict[Origin, tuple[int, int]]:
        """How many connections there are to each origin: in use, and idle."""
        return {} if self._connector is None else self._connector.pool()

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()

    async def _open(self, request: UpstreamRequest) -> _HttpAnswer:
        try:
            response = await self._use_session().post(
                request.url,
                data=_Pieces(request.body) if len(request.body) > _PIECE_BYTES else request.body,
                headers=request.headers,
                proxy=request.proxy,
                ssl=self._context(request.verify),
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=None, connect=request.connect_s),
            )
        except _LIBRARY_ERRORS as error:
            raise _typed(error) from error
        return _HttpAnswer(response, request.max_bytes)

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


class _HttpAnswer:
    def __init__(self, response: aiohttp.ClientResponse, max_bytes: int) -> None:
        self._response = response
        self._max_bytes = max_bytes
        self.status = response.status
        self.headers: Mapping[str, str] = {name.lower(): text for name, text in response.headers.items()}
        _fail_with_connection(response)
        encoding = self.headers.get("content-encoding", "identity").strip().lower()
        self._inflate = _inflate(encoding, response, max_bytes)

    async def read(self) -> bytes:
        try:
            if self._inflate is None:
                if piece := await self._response.content.readany():
                    return piece
            elif piece := await self._unpacked(self._inflate):
                return piece
        except _LIBRARY_ERRORS as error:
            raise _typed(error) from error
        self._response.release()
        return b""

    async def _unpacked(self, inflate: _Inflate) -> bytes:
        while True:
            if inflate.more:
                await asyncio.sleep(0)  # a few bytes may unpack to very many: others get their turn between
                piece = inflate.unpack()
            elif packed := await self._response.content.readany():
                piece = inflate.unpack(packed)
            else:
                return b""
            if piece:
                return piece

    async def read_all(self) -> bytes:
        pieces: list[bytes] = []
        size = 0
        try:
            while piece := await self.read():
                size += len(piece)
                if size > self._max_bytes:
                    raise ProviderError("provider_unavailable", "the provider's answer is too large")
                pieces.append(piece)
        except BaseException:
            self.abort()
            raise
        return b"".join(pieces)

    def abort(self) -> None:
        self._response.close()


def _fail_with_connection(response: aiohttp.ClientResponse) -> None:
    """Have a body that is not complete fail when its connection is lost.

    At a broken transfer coding the library (aiohttp 3.14) closes the connection, stops the read timeout, and tells
    whoever waits for more of the body nothing: they would wait for ever.
    """
    connection, body = response.connection, response.content
    closed = connection.protocol.closed if connection is not None and connection.protocol is not None else None
    if closed is None:
        return

    def fail(ended: asyncio.Future[None]) -> None:
        if not ended.cancelled():
            ended.exception()  # whoever does not look at it is warned about
        if not body.is_eof() and body.exception() is None:
            body.set_exception(aiohttp.ClientPayloadError("the connection was lost"))

    def forget() -> None:
        closed.remove_done_callback(fail)

    closed.add_done_callback(fail)
    body.on_eof(forget)


def _inflate(encoding: str, response: aiohttp.ClientResponse, max_bytes: int) -> _Inflate | None:
    """What unpacks an answer of this encoding, None when there is nothing to unpack."""
    if encoding in ("", "identity"):
        return None
    if encoding in ("gzip", "x-gzip", "deflate"):
        return _Inflate(max_bytes)
    response.close()
    raise ProviderError("provider_unavailable", "the provider's answer has an encoding that was not asked for")


class _Inflate:
    """Unpacks gzip and deflate, a bounded piece at a time; what one answer unpacks to is bounded as a whole, too."""

    def __init__(self, max_bytes: int) -> None:
        self._engine = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
        self._left_bytes = max_bytes
        self.more = False
        """Whether there is something left to unpack of what was put in."""

    def unpack(self, piece: bytes = b"") -> bytes:
        """The next bytes, of this and of what is left from before. What comes behind the end only counts."""
        if self._engine.eof:  # it would keep all that it is given now, and copy that each time
            self._count(len(piece))
            self.more = False
            return b""
        try:
            out = self._engine.decompress(self._engine.unconsumed_tail + piece, _PIECE_BYTES)
        except zlib.error as error:
            raise ProviderError("provider_unavailable", "the provider's answer cannot be unpacked") from error
        self._count(len(out))
        self.more = len(out) == _PIECE_BYTES or bool(self._engine.unconsumed_tail)
        return out

    def _count(self, size: int) -> None:
        self._left_bytes -= size
        if self._left_bytes < 0:
            raise ProviderError("provider_unavailable", "the provider's answer is too large")


def _typed(error: Exception) -> ProviderError:
    """The library's error in our words. What it says of hosts and addresses stays in the cause."""
    match error:
        case aiohttp.ConnectionTimeoutError():
            return ProviderError(
                "timeout", "the provider could not be reached in time", provider_code="connect_timeout"
            )
        case TimeoutError():
            return ProviderError("timeout", "the provider stopped sending", provider_code="idle_timeout")
        case aiohttp.ClientConnectorCertificateError():
            return _unreachable("its certificate is not trusted", "tls")
        case aiohttp.ClientSSLError():
            return _unreachable("the TLS connection failed", "tls")
        case aiohttp.ClientConnectorError(os_error=socket.gaierror()):
            return _unreachable("its name cannot be resolved", "dns")
        case aiohttp.ClientConnectorError():
            return _unreachable("the connection failed", "connect")
        case aiohttp.ClientConnectionResetError():
            # The pool gave a connection that was closed meanwhile: nothing of the request has left.
            return ProviderError(
                "provider_unavailable", "the connection was closed", retry="same", provider_code="stale"
            )
        case aiohttp.ClientPayloadError():
            return _unreachable("its answer was cut off", "cut")
        case _:
            return _unreachable("it closed the connection or broke the protocol", "reset")


def _unreachable(why: str, code: str) -> ProviderError:
    return ProviderError("provider_unavailable", f"the provider is not available: {why}", provider_code=code)
