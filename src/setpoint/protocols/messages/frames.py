"""The first and the last frames of a messages stream, the same whether it is edited or written anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Raw

from setpoint.protocols.messages.errors import error_event
from setpoint.wire.body import NULL, Body, as_text, is_array, join, raw
from setpoint.wire.sse import named_frame

if TYPE_CHECKING:
    from setpoint.canonical.parts import MediaKind
    from setpoint.errors import SetpointError
    from setpoint.protocols.answer import Opening

ENDING = ("stop_reason", "stop_sequence", "stop_details", "container")
"""What a message and the `delta` of its `message_delta` say of how it ended; clients need all four keys."""

UPSTREAMS_OWN = ("provider", "openrouter_metadata")
"""What of an upstream's message no client gets: they take a closed list of providers, and its routing is not ours."""

KEEP_ALIVE = named_frame(b"ping", b'{"type":"ping"}')
"""What tells a waiting client, between events, that the stream is alive."""

SHOWN: frozenset[MediaKind] = frozenset()
"""The media that an answer of this protocol can hold: there is no block for any."""

BILLED = ("cost", "is_byok", "cost_details")
"""What our bill adds to a usage; it stands in `message_delta` only."""


def start_frames(opening: Opening, event: Body, message: Body, usage: Body) -> bytes:
    """The first events of a stream: what went upstream, for a caller who asked to see it, then the message, filled in.

    `event` and `message` are the upstream's own members, where it speaks messages.
    """
    pings = [Raw(join({"echo_upstream_body": body})) for _, body in opening.debug]
    frames = [named_frame(b"ping", join({"type": raw("ping"), "debug": ping})) for ping in pings]
    content = message.get("content", NULL)
    filled: Body = {
        "id": message["id"] if as_text(message.get("id")) else raw(opening.new_id("msg_")),
        "type": raw("message"),
        "role": raw("assistant"),
        "model": raw(opening.stamp.model),
        "content": content if is_array(content) else Raw(b"[]"),
        **{name: message.get(name, NULL) for name in ENDING},
        "usage": Raw(join(usage)),
    }
    filled |= {name: said for name, said in message.items() if name not in filled}
    for name in UPSTREAMS_OWN:
        filled.pop(name, None)
    frames.append(
        named_frame(b"message_start", join({"type": raw("message_start"), **event, "message": Raw(join(filled))}))
    )
    return b"".join(frames)


def end_frames(event: Body, ending: Body, usage: Raw, stop: Body, metadata: Raw | None) -> bytes:
    """The last events of a complete answer. `event` and `stop` are the upstream's own members, where it has some."""
    delta = Raw(join(dict.fromkeys(ENDING, NULL) | ending))
    last: Body = {"type": raw("message_delta"), **event, "delta": delta, "usage": usage}
    stop = {"type": raw("message_stop"), **stop}
    stop.pop("openrouter_metadata", None)
    if metadata is not None:
        stop["openrouter_metadata"] = metadata
    return named_frame(b"message_delta", join(last)) + named_frame(b"message_stop", join(stop))


def error_frame(opening: Opening, error: SetpointError, metadata: Raw | None) -> bytes:
    """The event that ends a broken stream. Clients take it wherever it stands, also as the first."""
    return named_frame(b"error", error_event(error, opening.stamp.id, metadata))
