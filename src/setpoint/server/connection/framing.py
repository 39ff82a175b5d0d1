"""How a request's head says where its body ends, and what it expects: one reading only, or none.

The parser is strict already; what it lets through and another server might read differently is refused here.
"""

from __future__ import annotations

from setpoint.errors import RequestError

FRAMING = frozenset({b"host", b"content-length", b"transfer-encoding", b"expect"})
"""The headers, in lower case, that `expects_continue` judges; each may come once."""


def expects_continue(version: str, headers: list[tuple[bytes, bytes]]) -> bool:
    """Whether the client waits for a 100 before it sends its body. `headers` are those in FRAMING, as they came.

    Raises: `RequestError` for a head that can be read in two ways, or asks for what we do not do.
    """
    if version not in ("1.0", "1.1"):
        if version == "2.0":
            raise RequestError("http_version_unsupported", "this server speaks HTTP/1.1 and HTTP/1.0")
        raise RequestError("invalid_request", "malformed HTTP request")
    found = dict(headers)
    if len(found) < len(headers):
        twice = next(name for name, _ in headers if sum(name == other for other, _ in headers) > 1)
        raise _once(twice)
    if b"host" not in found and version == "1.1":
        raise _once(b"host")
    encoding = found.get(b"transfer-encoding")
    if encoding is not None:
        # "A server that receives an HTTP/1.0 message containing a Transfer-Encoding header field MUST treat the
        # message as if the framing is faulty." (RFC 9112, 6.1)
        if version == "1.0" or b"content-length" in found:
            raise RequestError("invalid_request", "a request has one length: Content-Length or chunks, not both")
        if encoding.strip(b" \t").lower() != b"chunked":
            raise RequestError("invalid_request", "Transfer-Encoding: must be chunked")
    expected = found.get(b"expect")
    if expected is None or version == "1.0":
        return False
    if expected.strip(b" \t").lower() != b"100-continue":
        raise RequestError("expectation_failed", "Expect: must be 100-continue")
    return True


def _once(name: bytes) -> RequestError:
    shown = "-".join(part.capitalize() for part in name.decode().split("-"))
    return RequestError("invalid_request", f"exactly one {shown} header is required")
