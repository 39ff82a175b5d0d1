"""What clients get of an error: an incomplete response, which is a success, for one about length; else a failed one."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from msgspec import Raw

from setpoint.canonical.usage import Usage
from setpoint.protocols.answer import Bill
from setpoint.protocols.responses.frames import CREATED, FAILED, Sequence
from setpoint.protocols.responses.repeated import repeated
from setpoint.protocols.responses.result import response_object
from setpoint.wire.body import Body, join
from setpoint.wire.sse import DONE

if TYPE_CHECKING:
    from setpoint.errors import ErrorType, SetpointError
    from setpoint.protocols.answer import Opening

_TOO_LONG: frozenset[ErrorType] = frozenset(
    {"context_length_exceeded", "max_tokens_exceeded", "token_limit_exceeded", "string_too_long"}
)
_TRUE = Raw(b"true")
_INCOMPLETE = b"response.incomplete"
_REASON = "max_output_tokens"
# Nothing was generated, and nothing is charged for what was refused.
_NOTHING = Bill(Usage(), None, Decimal(0))


def is_too_long(error: SetpointError) -> bool:
    """Whether an error is about length."""
    return error.type in _TOO_LONG


def broken_response(
    opening: Opening,
    id_: str,
    echo: Body,
    error: SetpointError,
    *,
    output: list[Body],
    usage: Usage | None,
    metadata: Raw | None,
    service_tier: str | None,
) -> tuple[bytes, Body]:
    """The last event of a stream that breaks, and the response in it.

    `echo` is what a response repeats of its request, `usage` what was counted before, None when nothing was. What that
    costs is not known here.
    """
    too_long = is_too_long(error)
    response = response_object(
        opening,
        id_,
        echo,
        status="incomplete" if too_long else "failed",
        output=output,
        bill=None if usage is None else Bill(usage, None, None),
        incomplete=_REASON if too_long else None,
        error=None if too_long else error,
        metadata=metadata,
        service_tier=service_tier,
    )
    return _INCOMPLETE if too_long else FAILED, response


def answer_instead(error: SetpointError, opening: Opening, metadata: Raw | None) -> bytes | None:
    """An incomplete response in place of an error about length, whole or streamed as the request asks; else None."""
    if not is_too_long(error):
        return None
    id_, echo = opening.new_id("resp_"), repeated(opening.request)
    incomplete = response_object(
        opening,
        id_,
        echo,
        status="incomplete",
        output=[],
        bill=_NOTHING,
        incomplete=_REASON,
        metadata=metadata,
    )
    if opening.request.get("stream") != _TRUE:
        return join(incomplete)
    begun = Raw(join(response_object(opening, id_, echo, status="in_progress", output=[], bill=None)))
    sequence = Sequence()
    return b"".join(
        (
            sequence.event(CREATED, {"response": begun}),
            sequence.event(b"response.in_progress", {"response": begun}),
            sequence.event(_INCOMPLETE, {"response": Raw(join(incomplete))}),
            DONE,
        )
    )
