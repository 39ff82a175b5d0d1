"""An answer of a provider over HTTP, read as it comes, and what can go wrong with it in our words.

Bytes are handed on as they come: the library's line reader (64 kB a line) is never used. An answer that is compressed
although it was not asked to be is unpacked within a cap.
"""

from __future__ import annotations

import asyncio
import socket
import zlib
from typing import TYPE_CHECKING

import aiohttp

from setpoint.errors import ProviderError

if TYPE_CHECKING:
    from collections.abc import Mapping

LIBRARY_ERRORS = (aiohttp.ClientError, OSError, ValueError)
"""What a call of the library may raise."""

_UNPACKED_BYTES = 262_144


class HttpAnswer:
    """An answer whose headers are there, as `AnswerStream` says; `max_bytes` bounds what it is as a whole."""

    def __init__(self, response: aiohttp.ClientResponse, max_bytes: int) -> None:
        self._response = response
        self._max_bytes = max_bytes
        self.status = response.status
        self.headers: Mapping[str, str] = {name.lower(): text for name, text in response.headers.items()}
        _fail_with_connection(response)
        encoding = self.headers.get("content-encoding", "identity").strip().lower()
        self._inflate = _inflate(encoding, response, max_bytes)

    async def read(self) -> bytes:
        """The bytes that have come, b"" at the end. Raises: `ProviderError`."""
        try:
            if self._inflate is None:
                if piece := await self._response.content.readany():
                    return piece
            elif piece := await self._unpacked(self._inflate):
                return piece
        except LIBRARY_ERRORS as error:
            raise provider_error(error) from error
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
        """All that is left, within the bound; the connection is closed when it fails. Raises: `ProviderError`."""
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
        """Close the connection at once."""
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
            out = self._engine.decompress(self._engine.unconsumed_tail + piece, _UNPACKED_BYTES)
        except zlib.error as error:
            raise ProviderError("provider_unavailable", "the provider's answer cannot be unpacked") from error
        self._count(len(out))
        self.more = len(out) == _UNPACKED_BYTES or bool(self._engine.unconsumed_tail)
        return out

    def _count(self, size: int) -> None:
        self._left_bytes -= size
        if self._left_bytes < 0:
            raise ProviderError("provider_unavailable", "the provider's answer is too large")


def provider_error(error: Exception) -> ProviderError:
    """The library's error in our words. What it says of hosts and addresses stays in the cause."""
    match error:
        case aiohttp.ConnectionTimeoutError():
            return ProviderError(
                "timeout", "the provider could not be reached in time", provider_code="connect_timeout", free=True
            )
        case TimeoutError():
            return ProviderError("timeout", "the provider stopped sending", provider_code="idle_timeout")
        case aiohttp.ClientConnectorCertificateError():
            return _unreachable("its certificate is not trusted", "tls", free=True)
        case aiohttp.ClientSSLError():
            return _unreachable("the TLS connection failed", "tls", free=True)
        case aiohttp.ClientConnectorError(os_error=socket.gaierror()):
            return _unreachable("its name cannot be resolved", "dns", free=True)
        case aiohttp.ClientConnectorError():
            return _unreachable("the connection failed", "connect", free=True)
        case aiohttp.ClientConnectionResetError():
            # The pool gave a connection that was closed meanwhile: nothing of the request has left.
            return ProviderError(
                "provider_unavailable", "the connection was closed", retry="same", provider_code="stale", free=True
            )
        case aiohttp.ClientPayloadError():
            return _unreachable("its answer was cut off", "cut")
        case _:
            return _unreachable("it closed the connection or broke the protocol", "reset")


def _unreachable(why: str, code: str, *, free: bool = False) -> ProviderError:
    """`free` where the connection was never made."""
    return ProviderError("provider_unavailable", f"the provider is not available: {why}", provider_code=code, free=free)
