"""The chunks of a stream, whoever says what is in them: what all have in common, and the first and the last ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Raw, structs

from setpoint.protocols.envelope import error_object
from setpoint.wire.body import Body, join, raw
from setpoint.wire.sse import DONE, data_frame

if TYPE_CHECKING:
    from setpoint.errors import SetpointError
    from setpoint.protocols.answer import Opening, Stamp

_CHUNK = Raw(b'"chat.completion.chunk"')
_NO_CHOICES = Raw(b"[]")
_BROKEN = Raw(b'[{"index":0,"delta":{"content":""},"finish_reason":"error","native_finish_reason":null}]')


class Chunks:
    """The frames of one stream, each with the same id, time, model and provider.

    In front of the first frame stand those that show the caller which bodies went upstream, when it asked for them.
    """

    def __init__(self, opening: Opening) -> None:
        self.stamp = opening.stamp
        self.head = _head(opening.stamp)
        self._debug = opening.debug

    def begin_at(self, created: Raw) -> None:
        """Take the time at which the upstream says its answer was made, in Unix seconds."""
        self.head["created"] = created
        self.stamp = structs.replace(self.stamp, created=int(bytes(created)))

    def write(self, rest: Body) -> bytes:
        """The frame of a chunk with these members."""
        chunk = data_frame(join({**self.head, **rest}))
        if not self._debug:
            return chunk
        shown, self._debug = self._debug, ()
        return b"".join(self._show(stamp, body) for stamp, body in shown) + chunk

    def end(self, usage: Raw, metadata: Raw | None) -> bytes:
        """The last frames: one chunk with the usage, with router metadata when there is some, then `[DONE]`."""
        return self.write({"choices": _NO_CHOICES, "usage": usage, **_routed(metadata)}) + DONE

    def fail(self, error: SetpointError, metadata: Raw | None) -> bytes:
        """The last frames of an answer that broke; a fault of ours shows no router metadata."""
        shown = None if error.type == "server" else metadata
        return self.write({"error": raw(error_object(error)), "choices": _BROKEN, **_routed(shown)}) + DONE

    def _show(self, stamp: Stamp, upstream_body: Raw) -> bytes:
        debug = Raw(join({"echo_upstream_body": upstream_body}))
        head = {**_head(stamp), "created": self.head["created"]}
        return data_frame(join({**head, "choices": _NO_CHOICES, "debug": debug}))


def _head(stamp: Stamp) -> Body:
    return {
        "id": raw(stamp.id),
        "object": _CHUNK,
        "created": raw(stamp.created),
        "model": raw(stamp.model),
        "provider": raw(stamp.provider),
    }


def _routed(metadata: Raw | None) -> Body:
    return {} if metadata is None else {"openrouter_metadata": metadata}
