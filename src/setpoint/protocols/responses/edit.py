"""A streamed answer of the responses protocol: read event by event from an upstream, edited for the client.

Events are edited, never rebuilt: what we do not know goes on as the bytes that came. Clients hold a stream together by
its ids and numbers, so those are made to agree where an upstream's do not: events are numbered anew, the response has
one id, and an item keeps the id that it was first seen with. The last event is held back, for our usage rides on it.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from msgspec import Raw

from setpoint.errors import ProviderError
from setpoint.protocols.answer import Outcome, StreamFailedError
from setpoint.protocols.responses.frames import (
    CREATED,
    LIFECYCLE,
    TERMINAL,
    Sequence,
    check_failure,
    last_response,
    read_event,
)
from setpoint.protocols.responses.instead import broken_response, is_too_long
from setpoint.protocols.responses.repeated import repeated
from setpoint.protocols.responses.result import fill_response, finish_of, response_object
from setpoint.protocols.responses.tracked import TrackedItems
from setpoint.protocols.responses.usage import read_response_usage, read_usage, write_usage
from setpoint.wire.body import NULL, MalformedError, as_object, as_text, is_null, is_string, join
from setpoint.wire.sse import DONE

if TYPE_CHECKING:
    from setpoint.errors import SetpointError
    from setpoint.protocols.answer import Bill, Opening
    from setpoint.protocols.base import EditedStream
    from setpoint.wire.body import Body
    from setpoint.wire.sse import Frame

_ITEM_ADDED = b"response.output_item.added"
_ITEM_DONE = b"response.output_item.done"
_IN_PROGRESS = Raw(b'"in_progress"')
_EMPTY = Raw(b'""')


def edit_stream(opening: Opening) -> EditedStream:
    """A stream of responses events, edited on its way to the client."""
    return ResponsesStream(opening)


class ResponsesStream:
    """The state of one streamed answer.

    `meaningful` turns true with the first text, reasoning, tool call or finish; `terminal` once the upstream has said
    that its answer is complete.
    """

    def __init__(self, opening: Opening) -> None:
        self.outcome = Outcome()
        self.meaningful = False
        self.terminal = False
        self._opening = opening
        self._sequence = Sequence()
        self._items = TrackedItems(opening.new_id)
        self._id: str | None = None
        self._created_at: Raw | None = None
        self._last: tuple[bytes, Body] = (b"", {})
        self._response: Body = {}
        self._usage: Body = {}

    @property
    def done(self) -> bool:
        """Whether nothing that still counts can come: the last event and the usage are both there."""
        return self.terminal and self.outcome.usage is not None

    @property
    def done_seen(self) -> bool:
        """As `terminal`: the last event is where the usage belongs, so only a late one is of interest behind it."""
        return self.terminal

    @property
    def open_parts(self) -> int:
        """The items, all of which the last event tells once more."""
        return len(self._items)

    def read(self, frame: Frame) -> bytes:
        """What the client gets for this frame: whole events, or nothing.

        Raises: `StreamFailedError` for an error that the upstream reports, `ProviderError` for a malformed event.
        """
        if frame.data == b"[DONE]":
            return b""
        try:
            event = read_event(frame)
            if event is None:
                return b""
            kind, body = event
            if self.terminal:
                if self.outcome.usage is None:
                    self._count(as_object(body.get("response")) or body)
                return b""
            return self._edit(kind, body)
        except MalformedError as error:
            if self.terminal:
                return b""
            raise ProviderError("provider_unavailable", "the provider sent a malformed event") from error
        except StreamFailedError:
            if self.terminal:
                return b""
            raise

    def end(self, bill: Bill, metadata: Raw | None) -> bytes:
        """The upstream's last event with what it leaves out, our usage and the router metadata; then `[DONE]`."""
        kind, body = self._last
        response = self._filled(self._response)
        if is_null(response["completed_at"]) and as_text(response["status"]) == "completed":
            response["completed_at"] = response["created_at"]  # the upstream does not say
        response["usage"] = write_usage(self._usage, bill)
        if metadata is not None:
            response["openrouter_metadata"] = metadata
        body["response"] = Raw(join(response))
        return self._opened() + self._sequence.edited(kind, body) + DONE

    def fail(self, error: SetpointError, metadata: Raw | None) -> bytes:
        """`response.failed` with all that came, then `[DONE]`; `response.created` first if need be.

        Too long is no failure: then the items that are open are closed as they are, and the response is incomplete.
        """
        opened, closed = self._opened(), self._items.close()
        if is_too_long(error):
            for index, item in closed:
                opened += self._sequence.event(_ITEM_DONE, {"output_index": index, "item": Raw(join(item))})
        kind, response = broken_response(
            self._opening,
            self._response_id(),
            self._echo,
            error,
            output=self._items.done(),
            usage=self.outcome.usage or self.outcome.partial,
            metadata=metadata,
            service_tier=self.outcome.service_tier,
        )
        return opened + self._sequence.event(kind, {"response": Raw(join(self._dated(response)))}) + DONE

    # --- one event -------------------------------------------------------------------------------------------

    def _edit(self, kind: bytes, body: Body) -> bytes:
        if kind in LIFECYCLE:
            return self._lifecycle(kind, body)
        if kind in TERMINAL:
            self._finish(kind, body)
            return b""
        opened = self._opened()
        if kind == _ITEM_ADDED:
            self.meaningful = self._items.added(body) or self.meaningful
        elif kind == _ITEM_DONE:
            said_bytes, is_something = self._items.finished(body)
            self.outcome.output_bytes += said_bytes
            self.meaningful = self.meaningful or is_something
        else:
            self._items.complete(kind, body)
            delta = body.get("delta")
            if delta is not None and delta != _EMPTY and is_string(delta):
                self.meaningful = True
                self.outcome.output_bytes += self._items.grew(body, delta)
        edited = self._sequence.edited(kind, body)
        return opened + edited if opened else edited

    def _lifecycle(self, kind: bytes, body: Body) -> bytes:
        """The response as it is before it is complete. The first one opens our stream, whatever it is called."""
        response = as_object(body.get("response"))
        self._learn(response)
        if "usage" in response and (counted := read_usage(response["usage"])):
            self.outcome.partial, _ = counted
        if kind == CREATED:
            if self._sequence.begun:
                return b""
            return self._sequence.edited(kind, self._showing(body, response)) + self._debug()
        opened = self._opened()
        return opened + self._sequence.edited(kind, self._showing(body, response))

    def _showing(self, body: Body, response: Body) -> Body:
        if not as_text(response.get("status")):
            response["status"] = _IN_PROGRESS
        response["usage"] = NULL
        body["response"] = Raw(join(self._filled(response)))
        return body

    def _filled(self, response: Body) -> Body:
        return self._dated(fill_response(response, self._opening, self._response_id(), self._echo))

    def _dated(self, response: Body) -> Body:
        """The response with the time that the first one had."""
        response["created_at"] = self._created_at = self._created_at or response["created_at"]
        return response

    def _opened(self) -> bytes:
        """The first event, where the upstream has not sent it."""
        if self._sequence.begun:
            return b""
        response = response_object(
            self._opening, self._response_id(), self._echo, status="in_progress", output=[], bill=None
        )
        return self._sequence.event(CREATED, {"response": Raw(join(self._dated(response)))}) + self._debug()

    @cached_property
    def _echo(self) -> Body:
        return repeated(self._opening.request)

    def _debug(self) -> bytes:
        return self._sequence.debug(self._opening.debug)

    # --- what is known of the answer -------------------------------------------------------------------------

    def _response_id(self) -> str:
        if self._id is None:
            self._id = self._opening.new_id("resp_")
        return self._id

    def _learn(self, response: Body) -> None:
        """Remember what a response says of itself: its first id, its last service tier."""
        if not self.outcome.upstream_id:
            self.outcome.upstream_id = as_text(response.get("id"))
            self._id = self._id or self.outcome.upstream_id or None
        self.outcome.service_tier = as_text(response.get("service_tier")) or self.outcome.service_tier

    def _count(self, response: Body) -> None:
        if counted := read_response_usage(response):
            self._usage = as_object(response["usage"])
            self.outcome.usage, self.outcome.provider_cost = counted

    def _finish(self, kind: bytes, body: Body) -> None:
        """Keep the last event until its usage is known. Raises: `StreamFailedError` when the response has failed."""
        response = last_response(kind, body)
        self._learn(response)
        self._count(response)
        check_failure(response)
        response["output"], said_bytes = self._items.settled(response.get("output"))
        self.outcome.output_bytes += said_bytes
        if finish := finish_of(response):
            self.outcome.finish_reason, self.outcome.native_finish_reason = finish.reason, finish.native
        self._response = response
        self._last = kind, body
        self.meaningful = self.terminal = True
