"""Errors of the chat protocol: what an upstream's answer reports, and the envelope that clients get.

The envelope is also that of the preset and management routes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Raw

from setpoint.protocols.failures import Reported
from setpoint.wire.body import NULL, MalformedError, is_null, is_object, is_string, join, raw, split, value

if TYPE_CHECKING:
    from setpoint.errors import SetpointError
    from setpoint.protocols.answer import Stamp
    from setpoint.wire.body import Body

_SERVER_MESSAGE = "Internal Server Error"


def read_error(data: bytes) -> Reported | None:
    """What the `error` member of an upstream's JSON body reports, None when the body has none."""
    try:
        return reported_in(split(data))
    except MalformedError:
        return None


def reported_in(body: Body) -> Reported | None:
    """The same for a body, or an event, that has been taken apart. Raises: `MalformedError`."""
    error = body.get("error", NULL)
    if is_null(error):
        return None
    if is_string(error):
        return Reported(message=str(value(error)))
    if not is_object(error):
        return Reported()
    said = value(error)
    return Reported(code=_word(said.get("code")) or _word(said.get("type")), message=_word(said.get("message")))


def _word(content: Any) -> str | None:
    if isinstance(content, bool) or not isinstance(content, str | int):
        return None
    return str(content) or None


def error_object(error: SetpointError) -> dict[str, Any]:
    """The `error` member: `code` = HTTP status, a message that is never empty, `metadata` with the error type."""
    masked = error.type in ("server", "unmapped")
    metadata: dict[str, Any] = {"error_type": error.type}
    if not masked:
        metadata |= error.metadata
    content: dict[str, Any] = {
        "code": error.status,
        "message": _SERVER_MESSAGE if masked else error.message or _SERVER_MESSAGE,
        "metadata": metadata,
    }
    if error.availability:
        content |= {"error_type": error.type, "http_status": error.status, "availability": error.availability}
    return content


def write_error(error: SetpointError, metadata: Raw | None = None) -> bytes:
    """The JSON body of an error answer; a fault of ours shows no router metadata."""
    shown = None if error.type == "server" else metadata
    return bytes(raw({"error": error_object(error), "user_id": None, "openrouter_metadata": shown}))


def write_stream_error(error: SetpointError, stamp: Stamp, metadata: Raw | None = None) -> bytes:
    """The chunk that ends a stream whose status went out already, as JSON."""
    chunk = {
        "id": raw(stamp.id),
        "object": Raw(b'"chat.completion.chunk"'),
        "created": raw(stamp.created),
        "model": raw(stamp.model),
        "provider": raw(stamp.provider),
        "error": raw(error_object(error)),
        "choices": Raw(b'[{"index":0,"delta":{"content":""},"finish_reason":"error","native_finish_reason":null}]'),
    }
    if metadata is not None and error.type != "server":
        chunk["openrouter_metadata"] = metadata
    return join(chunk)
