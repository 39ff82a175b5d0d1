"""An answer of another dialect, written as the stream of a responses client.

An item is complete once its parts have ended and something else begins, or the answer ends: only then is it known
whether more belongs to it, and whether the answer was cut short in it. Items may be open side by side; each has its
place in the output from its beginning.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from msgspec import Raw

from setpoint.canonical.events import Began, Cited, Counted, Finished, Grew, PartBegan, PartEnded, Scored
from setpoint.canonical.fold import Fold
from setpoint.canonical.parts import Text
from setpoint.protocols.responses.frames import CREATED, Sequence
from setpoint.protocols.responses.instead import broken_response, is_too_long
from setpoint.protocols.responses.items import item_id_prefix
from setpoint.protocols.responses.opened import OpenItem
from setpoint.protocols.responses.repeated import repeated
from setpoint.protocols.responses.result import INCOMPLETE, response_object
from setpoint.wire.body import join
from setpoint.wire.sse import DONE

if TYPE_CHECKING:
    from setpoint.canonical.events import Event
    from setpoint.canonical.parts import Part
    from setpoint.canonical.result import FinishReason
    from setpoint.canonical.usage import Usage
    from setpoint.errors import SetpointError
    from setpoint.protocols.answer import Bill, Opening
    from setpoint.protocols.base import StreamWriter
    from setpoint.wire.body import Body


def writer(opening: Opening) -> StreamWriter:
    """The writer of one stream."""
    return ResponsesWriter(opening)


class ResponsesWriter:
    """The state of one stream that is written."""

    def __init__(self, opening: Opening) -> None:
        self._opening = opening
        self._id = opening.new_id("resp_")
        self._sequence = Sequence()
        self._fold = Fold()
        self._items: list[OpenItem] = []
        self._growing = 0  # how many parts have not ended
        self._ending: list[OpenItem] = []  # those of which a part has ended since what has ended was told last
        self._parts: dict[int, OpenItem] = {}
        self._text: int | None = None  # the text part that began last
        self._unplaced: list[Raw] = []  # log probabilities that came before their text
        self._service_tier: str | None = None
        self._reason: FinishReason | None = None
        self._usage: Usage | None = None  # for an answer that breaks; a whole one is billed

    @property
    def open_parts(self) -> int:
        """How many parts have not ended, or are not told so."""
        return self._growing + len(self._ending)

    def write(self, event: Event) -> bytes:
        """What the client gets for this event: whole events of the skin, or nothing."""
        self._fold.add(event)
        opened = b"" if self._sequence.begun else self._begin()
        match event:
            case Grew(part, text) if item := self._parts.get(part):
                return item.grew(part, text)
            case PartBegan(part, head) if item_id_prefix(head):
                return opened + self._part_began(part, head)
            case PartEnded(part) if item := self._parts.get(part):
                item.ended(part)
                self._growing -= 1
                self._ending.append(item)
                return b""
            case Cited(part, citation) if item := self._parts.get(part):
                return item.cited(part, citation)
            case Began(service_tier=tier):
                self._service_tier = tier or self._service_tier
                return opened
            case Scored(entries):
                return opened + self._scored(entries)
            case Counted(usage):
                self._usage = usage
                return opened
            case Finished(finish):
                self._reason = finish.reason
                return opened + self._close_all(cut=finish.reason in INCOMPLETE)
            case _:
                return opened

    def end(self, bill: Bill, metadata: Raw | None) -> bytes:
        """`response.completed` or `response.incomplete` with the whole answer and its usage; then `[DONE]`."""
        opened = b"" if self._sequence.begun else self._begin()
        closed = self._close_all(cut=False)
        incomplete = INCOMPLETE.get(self._reason) if self._reason is not None else None
        status = "incomplete" if incomplete else "completed"
        response = response_object(
            self._opening,
            self._id,
            self._echo,
            status=status,
            output=self._output(),
            bill=bill,
            completed_at=None if incomplete else self._opening.stamp.created,
            incomplete=incomplete,
            metadata=metadata,
            service_tier=self._service_tier,
        )
        return opened + closed + self._response_event(b"response." + status.encode(), response) + DONE

    def fail(self, error: SetpointError, metadata: Raw | None) -> bytes:
        """`response.failed` with all that came, then `[DONE]`; `response.created` first if need be.

        Too long is no failure: then the items that are open are closed as they are, and the response is incomplete.
        """
        opened = b"" if self._sequence.begun else self._begin(in_progress=False)
        settled = self._settle(None)
        if is_too_long(error):
            settled += b"".join([item.close("incomplete") for item in self._items if item.is_open])
        kind, response = broken_response(
            self._opening,
            self._id,
            self._echo,
            error,
            output=[body for item in self._items if (body := item.body or item.unfinished()) is not None],
            usage=self._usage,
            metadata=metadata,
            service_tier=self._service_tier,
        )
        return opened + settled + self._response_event(kind, response) + DONE

    # --- the response ----------------------------------------------------------------------------------------

    @cached_property
    def _echo(self) -> Body:
        return repeated(self._opening.request)

    def _begin(self, *, in_progress: bool = True) -> bytes:
        """The first events: the response while there is nothing of it, and what went upstream."""
        response = response_object(self._opening, self._id, self._echo, status="in_progress", output=[], bill=None)
        begun = self._response_event(CREATED, response)
        if in_progress:
            begun += self._response_event(b"response.in_progress", response)
        return begun + self._sequence.debug(self._opening.debug)

    def _output(self) -> list[Body]:
        """The items that are complete."""
        return [item.body for item in self._items if item.body is not None]

    def _response_event(self, kind: bytes, response: Body) -> bytes:
        return self._sequence.event(kind, {"response": Raw(join(response))})

    # --- the items -------------------------------------------------------------------------------------------

    def _part_began(self, number: int, head: Part) -> bytes:
        last = self._items[-1] if self._items else None
        item = last if last is not None and last.is_open and last.takes(head) else None
        out = self._settle(item)
        if item is None:
            item = OpenItem(len(self._items), head, self._opening.new_id, self._sequence, self._fold)
            self._items.append(item)
            out += item.added(head)
        self._parts[number] = item
        self._growing += 1
        out += item.begin(number, head)
        if not isinstance(head, Text):
            return out
        self._text = number
        unplaced, self._unplaced = self._unplaced, []
        return out + b"".join([item.scored(number, entries) for entries in unplaced])

    def _scored(self, entries: Raw) -> bytes:
        if self._text is None:
            self._unplaced.append(entries)
            return b""
        return self._parts[self._text].scored(self._text, entries)

    def _settle(self, kept: OpenItem | None) -> bytes:
        """The ends of what has ended; the item that is kept stays open for more."""
        ending, self._ending = sorted(self._ending, key=_position), []
        told: list[bytes] = []
        for item in ending:
            if item is not kept and item.is_open and item.all_ended:
                told.append(item.close("completed"))
            else:
                told.append(item.tell_ended())
        return b"".join(told)

    def _close_all(self, *, cut: bool) -> bytes:
        """The ends of all that is open. An answer that was cut short was so in the item that began last."""
        self._ending.clear()
        last = self._items[-1] if cut and self._items else None
        return b"".join(
            [item.close("incomplete" if item is last else "completed") for item in self._items if item.is_open]
        )


def _position(item: OpenItem) -> int:
    return item.position
