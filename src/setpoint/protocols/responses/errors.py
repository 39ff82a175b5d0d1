"""Errors of the responses protocol: the envelope before an answer is accepted, and the failed response after it.

Source: `docs/errors.md`.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from setpoint.protocols.envelope import error_object, write_envelope
from setpoint.wire.body import Body, join, members, raw

if TYPE_CHECKING:
    from collections.abc import Mapping

    from msgspec import Raw

    from setpoint.errors import ErrorType, SetpointError

ERROR_CODES: Mapping[ErrorType, str] = MappingProxyType(
    {
        "rate_limit_exceeded": "rate_limit_exceeded",
        "context_length_exceeded": "invalid_prompt",
        "invalid_request": "invalid_prompt",
        "content_policy_violation": "image_content_policy_violation",
    }
)
"""Error type to the code of a failed response, for those that are no `server_error`."""

_OTHER = "server_error"


def write_error(error: SetpointError, id_: str | None, metadata: Raw | None) -> bytes:
    """The JSON body of an error answer: the envelope of chat with the error's type beside it."""
    del id_  # this envelope has no place for it
    body: Body = {**members(write_envelope(error, metadata)), "error_type": raw(error.type)}
    return join(body)


def error_status(error: SetpointError) -> int:
    """The HTTP status of that answer."""
    return error.status


def response_error(error: SetpointError) -> Raw:
    """The `error` member of a failed response: a code out of the protocol's own list, and the message."""
    return raw({"code": ERROR_CODES.get(error.type, _OTHER), "message": error_object(error)["message"]})
