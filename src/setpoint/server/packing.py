"""Request bodies that came compressed."""

from __future__ import annotations

import asyncio
import zlib

from setpoint.errors import RequestError

_CODINGS = frozenset({"gzip", "x-gzip", "deflate"})
_AT_ONCE = 262_144
"""So many bytes are unpacked where they are needed, in about a millisecond; what is more goes to a thread."""


async def unpacked(data: bytes, coding: str, limit: int) -> bytes:
    """A body as it was before it was compressed, at most `limit` bytes. `coding` is the Content-Encoding.

    Raises: `RequestError` for a coding that we do not know or that is not the only one, for what is not in that coding
    or more than it, and for what is too large; the last as soon as it is.
    """
    coding = coding.strip().lower()
    if coding in ("", "identity"):
        return data
    if coding not in _CODINGS:
        raise RequestError(
            "unsupported_encoding",
            "Content-Encoding: must be one of gzip, deflate and identity",
            headers={"Accept-Encoding": "gzip, deflate", "Connection": "close"},
        )
    engine = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)

    def more(packed: bytes, most: int) -> bytes:
        try:
            return engine.decompress(packed, most)
        except zlib.error:
            raise RequestError("invalid_request", f"the request body is no {coding}") from None

    plain = more(data, min(limit + 1, _AT_ONCE))
    if engine.unconsumed_tail and len(plain) <= limit:
        rest = limit + 1 - len(plain)
        plain += await asyncio.to_thread(more, engine.unconsumed_tail, rest)
    if len(plain) > limit:
        raise too_large(limit)
    if not engine.eof:
        raise RequestError("invalid_request", f"the request body is cut off inside its {coding}")
    if engine.unused_data:
        raise RequestError("invalid_request", f"there is more in the request body than its {coding}")
    return plain


def too_large(limit: int) -> RequestError:
    """The error of a body that is larger than it may be."""
    return RequestError(
        "payload_too_large", f"the request body is larger than {limit} bytes", headers={"Connection": "close"}
    )
