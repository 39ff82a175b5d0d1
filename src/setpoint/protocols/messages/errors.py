"""Errors of the messages protocol: the envelope that clients get, whole and inside a stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from setpoint.wire.body import raw

if TYPE_CHECKING:
    from msgspec import Raw

    from setpoint.errors import ErrorType, SetpointError
    from setpoint.protocols.answer import Opening

_SERVER_MESSAGE = "Internal Server Error"
_MASKED: frozenset[ErrorType] = frozenset({"server", "unmapped"})

_WORDS: dict[ErrorType, str] = {
    "authentication": "authentication_error",
    "permission_denied": "permission_error",
    "payment_required": "billing_error",
    "not_found": "not_found_error",
    "image_not_found": "not_found_error",
    "rate_limit_exceeded": "rate_limit_error",
    "provider_overloaded": "overloaded_error",
    "unavailable": "overloaded_error",
    "timeout": "timeout_error",
    "provider_unavailable": "api_error",
    "server": "api_error",
    "unmapped": "api_error",
}
"""What the protocol calls an error type; every other one is an `invalid_request_error`."""

# 529 is the protocol's own number for what the others call 503.
_STATUS: dict[ErrorType, int] = {"provider_overloaded": 529, "unavailable": 529}


def error_status(error: SetpointError) -> int:
    """The HTTP status of an error answer."""
    return _STATUS.get(error.type, error.status)


def write_error(error: SetpointError, id_: str | None, metadata: Raw | None) -> bytes:
    """The JSON body of an error answer. A fault of ours tells nothing but its type, and shows no router metadata."""
    masked = error.type in _MASKED
    told: dict[str, Any] = {
        "type": _WORDS.get(error.type, "invalid_request_error"),
        "message": _SERVER_MESSAGE if masked else error.message or _SERVER_MESSAGE,
        "error_type": error.type,
    }
    if "error_code" in error.metadata:  # which clients of this protocol look for here
        told["details"] = error.metadata
    if error.availability:
        told |= {"http_status": error_status(error), "availability": error.availability}
    envelope: dict[str, Any] = {"type": "error", "error": told, "request_id": id_}
    if not masked:
        if error.metadata:
            envelope["metadata"] = error.metadata
        if metadata is not None:
            envelope["openrouter_metadata"] = metadata
    return bytes(raw(envelope))


def error_event(error: SetpointError, id_: str | None, metadata: Raw | None) -> bytes:
    """The data of a stream's `error` event: the same envelope, whose `type` is the name of the event too."""
    return write_error(error, id_, metadata)


def answer_instead(error: SetpointError, opening: Opening, metadata: Raw | None) -> bytes | None:
    """None: every error of this protocol is an error answer."""
