"""The successful answer that clients get instead of some errors: an incomplete response, without a word in it."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from msgspec import Raw

from setpoint.canonical.usage import Usage
from setpoint.protocols.answer import Bill
from setpoint.protocols.responses.frames import CREATED, Sequence
from setpoint.protocols.responses.result import response_object
from setpoint.wire.body import join
from setpoint.wire.sse import DONE

if TYPE_CHECKING:
    from setpoint.errors import ErrorType, SetpointError
    from setpoint.protocols.answer import Opening

_TOO_LONG: frozenset[ErrorType] = frozenset(
    {"context_length_exceeded", "max_tokens_exceeded", "token_limit_exceeded", "string_too_long"}
)
_TRUE = Raw(b"true")
# Nothing was generated, and nothing is charged for what was refused.
_NOTHING = Bill(Usage(), None, Decimal(0))


def answer_instead(error: SetpointError, opening: Opening, metadata: Raw | None) -> bytes | None:
    """An incomplete response in place of an error about length, whole or streamed as the request asks; else None."""
    if error.type not in _TOO_LONG:
        return None
    id_ = opening.new_id("resp_")
    incomplete = response_object(
        opening,
        id_,
        status="incomplete",
        output=[],
        bill=_NOTHING,
        incomplete="max_output_tokens",
        metadata=metadata,
    )
    if opening.request.get("stream") != _TRUE:
        return join(incomplete)
    begun = Raw(join(response_object(opening, id_, status="in_progress", output=[], bill=None)))
    sequence = Sequence()
    return b"".join(
        (
            sequence.event(CREATED, {"response": begun}),
            sequence.event(b"response.in_progress", {"response": begun}),
            sequence.event(b"response.incomplete", {"response": Raw(join(incomplete))}),
            DONE,
        )
    )
