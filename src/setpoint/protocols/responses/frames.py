"""The events of a responses stream as frames: read off one as it came from upstream, written and numbered as one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec import Raw

from setpoint.protocols.answer import StreamFailedError
from setpoint.protocols.failures import Reported, reported_in
from setpoint.wire.body import NULL, as_object, as_text, is_null, join, raw, split
from setpoint.wire.sse import named_frame

if TYPE_CHECKING:
    from collections.abc import Iterable

    from setpoint.canonical.events import Counted
    from setpoint.protocols.answer import Stamp
    from setpoint.wire.body import Body
    from setpoint.wire.sse import Frame

CREATED = b"response.created"
LIFECYCLE = frozenset({CREATED, b"response.queued", b"response.in_progress"})
"""The events that show the response before it is complete."""

FAILED = b"response.failed"
TERMINAL = {
    b"response.completed": Raw(b'"completed"'),
    b"response.incomplete": Raw(b'"incomplete"'),
    FAILED: Raw(b'"failed"'),
}
"""The events that end an answer, each with the status that it stands for."""

_ERRORS = (b"error", b"response.error")
_EVENT_NAME = re.compile(rb"[A-Za-z0-9_.:-]+")


def read_event(frame: Frame) -> tuple[bytes, Body] | None:
    """The type of an event, as it is written between quotes, and its members; None for what has no type.

    Raises: `StreamFailedError` for an event that is an error, `MalformedError` for what is no JSON object.
    """
    body = split(frame.data)
    kind = bytes(body.get("type", NULL))
    kind = kind[1:-1] if kind[:1] == b'"' and b"\\" not in kind else _unusual_type(frame, body)
    if kind in _ERRORS or frame.event == b"error":
        raise StreamFailedError(_reported(body))
    return (kind, body) if kind else None


def _unusual_type(frame: Frame, body: Body) -> bytes:
    """The type of an event that spells it with escapes, or says it only in the frame's name; empty when nowhere."""
    said = as_text(body.get("type"))
    if said is not None:
        body["type"] = raw(said)
    elif frame.event and _EVENT_NAME.fullmatch(frame.event):
        body["type"] = Raw(b'"' + frame.event + b'"')
    else:
        return b"error" if not is_null(body.get("error", NULL)) else b""
    return bytes(body["type"])[1:-1]


def _reported(body: Body) -> Reported:
    """What an `error` event says: in members of its own, or in an `error` as the answers of other routes do."""
    told = {name: body[name] for name in ("code", "message") if name in body}
    return reported_in(body) or reported_in({"error": Raw(join(told))}) or Reported()


def last_response(kind: bytes, body: Body) -> Body:
    """The response in a terminal event, with the status that the event stands for where it says none of its own."""
    response = as_object(body.get("response"))
    if kind == FAILED or as_text(response.get("status")) not in ("completed", "incomplete", "failed"):
        response["status"] = TERMINAL[kind]
    return response


def check_failure(response: Body, counted: Counted | None = None) -> None:
    """Raises: `StreamFailedError` when the last response of a stream says that it failed; `counted` is its usage."""
    if as_text(response.get("status")) == "failed":
        raise StreamFailedError(reported_in(response) or Reported(), counted)


class Sequence:
    """The events of one stream, numbered from 0 without gaps. `begun` once there was one."""

    def __init__(self) -> None:
        self._next = 0

    @property
    def begun(self) -> bool:
        """Whether any event was written."""
        return self._next > 0

    def number(self) -> bytes:
        """The number of the event that is written now, as JSON."""
        number = self._next
        self._next = number + 1
        return b"%d" % number

    def edited(self, kind: bytes, body: Body) -> bytes:
        """The frame of an event that came, with its number in this stream."""
        body["sequence_number"] = Raw(self.number())
        return named_frame(kind, join(body))

    def event(self, kind: bytes, body: Body) -> bytes:
        """The frame of an event of our own with these members."""
        head: Body = {"type": Raw(b'"' + kind + b'"'), "sequence_number": Raw(self.number())}
        return named_frame(kind, join(head | body))

    def debug(self, sent: Iterable[tuple[Stamp, Raw]]) -> bytes:
        """The frames that show a client which bodies went upstream."""
        shown = (Raw(join({"echo_upstream_body": body})) for _, body in sent)
        return b"".join(self.event(b"response.debug", {"debug": debug}) for debug in shown)
