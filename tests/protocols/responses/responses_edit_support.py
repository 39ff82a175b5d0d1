"""What a responses client gets of the streams of a responses upstream."""

from __future__ import annotations

from typing import TYPE_CHECKING

from protocols.responses.responses_support import BILL, created, opening, sse, told
from setpoint.errors import ProviderError
from setpoint.protocols.answer import Outcome, StreamFailedError
from setpoint.protocols.responses.edit import edit_stream
from setpoint.wire.sse import FrameReader

if TYPE_CHECKING:
    from collections.abc import Iterable

    from protocols.responses.responses_support import Told
    from setpoint.protocols.answer import Opening
    from setpoint.protocols.base import EditedStream

BROKEN = ProviderError("provider_unavailable", "the stream was cut")


def edited(pieces: Iterable[bytes], of: Opening | None = None) -> tuple[bytes, EditedStream]:
    """What the client gets of a stream in these pieces, which is brought to its end, and what is known of it then."""
    frames, stream, out = FrameReader(), edit_stream(of or opening()), b""
    try:
        for cut in pieces:
            for frame in frames.feed(cut):
                out += stream.read(frame)
    except (StreamFailedError, ProviderError):
        pass
    return out + (stream.end(BILL, None) if stream.terminal else stream.fail(BROKEN, None)), stream


def events_of(*events: Told, of: Opening | None = None) -> list[Told]:
    """The events for the client of an upstream that sends these."""
    return told(edited([sse(*events)], of)[0])


def outcome_of(*events: Told) -> Outcome:
    """What is known of the answer of an upstream that sends these behind the first event."""
    return edited([sse(created(), *events)])[1].outcome


def sent(stream: EditedStream, *events: Told) -> bytes:
    """What goes to the client when the upstream sends these."""
    return b"".join(stream.read(frame) for frame in FrameReader().feed(sse(*events)))
