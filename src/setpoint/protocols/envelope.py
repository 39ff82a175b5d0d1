"""The OpenAI-like error envelope: of chat, of responses before it accepts a request, and of the management routes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from setpoint.wire.body import raw

if TYPE_CHECKING:
    from msgspec import Raw

    from setpoint.errors import SetpointError

_SERVER_MESSAGE = "Internal Server Error"


def error_object(error: SetpointError) -> dict[str, Any]:
    """The `error` member: `code` = HTTP status, a message that is never empty, `metadata` with the error type.

    What is our own fault tells nothing but its type.
    """
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


def write_envelope(error: SetpointError, metadata: Raw | None = None) -> bytes:
    """The JSON body of an error answer; a fault of ours shows no router metadata."""
    shown = None if error.type == "server" else metadata
    return bytes(raw({"error": error_object(error), "user_id": None, "openrouter_metadata": shown}))
