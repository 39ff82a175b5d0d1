"""The output items of a stream that is read: which item an event is about, and what of it was not told before.

An upstream may tell the same thing up to four times: piece by piece, and whole at the end of the part, of the item and
of the answer. Some leave out one or the other, change an id between them, or tell the items in another order at last.
"""

from __future__ import annotations

from collections import defaultdict, deque
from itertools import count
from typing import TYPE_CHECKING, NamedTuple

from setpoint.canonical.events import Event, Unsaid
from setpoint.protocols.responses.calls import KINDS, answered_calls
from setpoint.protocols.responses.growing import GrowingItem
from setpoint.wire.body import NULL, as_object, as_text, is_object, is_string

if TYPE_CHECKING:
    from msgspec import Raw

    from setpoint.protocols.responses.growing import What
    from setpoint.wire.body import Body


class _Piece(NamedTuple):
    """What the events of one family tell: of which part, of an item of which type, where it stands, by which member."""

    what: What
    item: str
    place: str
    whole: str


_SUMMARY = _Piece("summary", "reasoning", "summary_index", "text")
_PIECES = {
    b"response.output_text": _Piece("text", "message", "content_index", "text"),
    b"response.refusal": _Piece("refusal", "message", "content_index", "refusal"),
    b"response.reasoning_text": _Piece("thought", "reasoning", "content_index", "text"),
    b"response.reasoning_summary_text": _SUMMARY,
    b"response.function_call_arguments": _Piece("call", "function_call", "", "arguments"),
    b"response.custom_tool_call_input": _Piece("call", "custom_tool_call", "", "input"),
}
_DELTAS = {family + b".delta": piece for family, piece in _PIECES.items()}
_WHOLES = {family + b".done": piece for family, piece in _PIECES.items()}

_PARTS: dict[str, _Piece] = {
    "output_text": _PIECES[b"response.output_text"],
    "text": _PIECES[b"response.output_text"],
    "refusal": _PIECES[b"response.refusal"],
    "reasoning_text": _PIECES[b"response.reasoning_text"],
}
"""Type of a content part to the events that tell it."""

# Calls that come whole, and that a provider may have run itself: then there is an item with the output.
_WHOLE_CALLS = KINDS.keys() - {"function_call", "custom_tool_call"}

_INDEX_DIGITS = 9


class Output:
    """The items of one stream, in the order in which they were first heard of."""

    def __init__(self) -> None:
        self._numbers = count()
        self._items: list[GrowingItem] = []
        self._known: dict[bytes, GrowingItem] = {}  # by output index, and by id
        self._held: list[tuple[GrowingItem, Raw]] = []
        self._unsaid: set[str] = set()

    @property
    def has_call(self) -> bool:
        """Whether a call of the client's has been told."""
        return any(item.is_call for item in self._items)

    def tell(self, kind: bytes, body: Body) -> list[Event]:
        """What an event tells that is new; nothing for events that are about no item."""
        if (piece := _DELTAS.get(kind)) is not None:
            return self._grew(body, piece)
        if (piece := _WHOLES.get(kind)) is not None:
            return self._whole(body, piece)
        match kind:
            case b"response.output_item.added":
                events = self._added(body)
            case b"response.output_item.done":
                events = self._done(body)
            case b"response.content_part.added" | b"response.reasoning_summary_part.added":
                events = self._part_began(body, kind)
            case b"response.content_part.done" | b"response.reasoning_summary_part.done":
                events = self._part_done(body, kind)
            case b"response.output_text.annotation.added":
                events = self._cited(body)
            case _:
                return []
        return self._named_once(events)

    def finish(self, entries: list[Raw]) -> list[Event]:
        """What of the whole output was not told, and the ends of all that is open."""
        told = [entry for entry in entries if is_object(entry)]
        events: list[Event] = []
        waiting = _Waiting(self._items)
        for position, entry in enumerate(told):
            item = self._counterpart(as_object(entry), position, waiting)
            events += self._settle(item, entry)
        events += self._drop_answered([as_object(entry) for entry in told])
        events += self._release()
        for item in self._items:
            if not item.settled:
                events += item.end()
        return self._named_once(events)

    # --- pieces ----------------------------------------------------------------------------------------------

    def _grew(self, body: Body, piece: _Piece) -> list[Event]:
        delta = body.get("delta")
        item = self._item(body, piece.item)
        if item is None or delta is None or not is_string(delta):
            return []
        return item.grew(piece.what, _index(body, piece.place), delta, body.get("logprobs"))

    def _whole(self, body: Body, piece: _Piece) -> list[Event]:
        item = self._item(body, piece.item)
        if item is None:
            return []
        return item.whole(piece.what, _index(body, piece.place), body.get(piece.whole), body.get("logprobs"))

    def _part_began(self, body: Body, kind: bytes) -> list[Event]:
        piece = self._part(body, kind)
        item = None if piece is None else self._item(body, piece.item)
        return [] if item is None or piece is None else item.began(piece.what, _index(body, piece.place))

    def _part_done(self, body: Body, kind: bytes) -> list[Event]:
        piece = self._part(body, kind)
        item = None if piece is None else self._item(body, piece.item)
        if item is None or piece is None:
            return []
        return item.completed(piece.what, _index(body, piece.place), as_object(body.get("part")))

    def _part(self, body: Body, kind: bytes) -> _Piece | None:
        """What a part is, None when there is no word for it. Some write reasoning as if it were a message's text."""
        if kind.startswith(b"response.reasoning_summary_part"):
            return _SUMMARY
        known = self._find(body)
        if known is not None and known.type == "reasoning":
            return _PARTS["reasoning_text"]
        return _PARTS.get(as_text(as_object(body.get("part")).get("type")) or "")

    def _cited(self, body: Body) -> list[Event]:
        item = self._item(body, "message")
        annotation = body.get("annotation", NULL)
        return (
            [] if item is None or not is_object(annotation) else item.cited(_index(body, "content_index"), annotation)
        )

    # --- items -----------------------------------------------------------------------------------------------

    def _added(self, body: Body) -> list[Event]:
        told = as_object(body.get("item"))
        if not told:
            return []
        events = [] if _is_output(told) else self._release()
        item = self._shown(body, told)
        return events if item.settled else [*events, *item.added(told)]

    def _done(self, body: Body) -> list[Event]:
        entry = body.get("item", NULL)
        told = as_object(entry)
        if not told:
            return []
        events = self._drop_answered([told]) if _is_output(told) else self._release()
        return [*events, *self._settle(self._shown(body, told), entry)]

    def _settle(self, item: GrowingItem, entry: Raw) -> list[Event]:
        """All of an item has come. A call that the provider may have run waits for what comes behind it."""
        if item.settled:
            return []
        if item.type not in _WHOLE_CALLS:
            return item.settle(entry)
        item.settled = True
        self._held.append((item, entry))
        return []

    def _release(self) -> list[Event]:
        """The calls that waited: nobody has run them, so they are the client's."""
        held, self._held = self._held, []
        return [event for item, entry in held for event in item.settle(entry)]

    def _drop_answered(self, told: list[Body]) -> list[Event]:
        """Leave out the calls whose output is among these items."""
        answered = answered_calls(told)
        held, self._held = self._held, []
        run: list[Event] = []
        for item, entry in held:
            if as_text(as_object(entry).get("call_id")) in answered:
                run.append(Unsaid(item.type))
            else:
                self._held.append((item, entry))
        return run

    def _find(self, body: Body) -> GrowingItem | None:
        """The item that an event names by its place, or else by its id."""
        known = self._known.get(bytes(body["output_index"])) if "output_index" in body else None
        return self._known.get(bytes(body["item_id"])) if known is None and "item_id" in body else known

    def _item(self, body: Body, type_: str) -> GrowingItem | None:
        """The item that an event is about a piece of, None when all of it has been told already."""
        known = self._find(body) or self._new(type_, body.get("item_id"), body.get("output_index"))
        return None if known.settled else known

    def _shown(self, body: Body, told: Body) -> GrowingItem:
        """The item that an event shows: one that is known by its place or its id, unless that is of another type."""
        type_ = _type(told)
        for key in (body.get("output_index"), told.get("id")):
            known = None if key is None else self._known.get(bytes(key))
            if known is not None and known.type == type_:
                return known
        return self._new(type_, told.get("id"), body.get("output_index"))

    def _counterpart(self, told: Body, position: int, waiting: _Waiting) -> GrowingItem:
        """The item that an entry of the whole output is, a new one when it is none that waits."""
        id_ = told.get("id")
        found = waiting.take(_type(told), as_text(id_), self._known.get(b"%d" % position))
        return found or self._new(_type(told), id_, None)

    def _new(self, type_: str, id_: Raw | None, place: Raw | None) -> GrowingItem:
        item = GrowingItem(type_, as_text(id_), self._numbers)
        self._items.append(item)
        self._known.update({bytes(key): item for key in (place, id_) if key is not None})
        return item

    def _named_once(self, events: list[Event]) -> list[Event]:
        """The events without what was named as unsaid before."""
        kept: list[Event] = []
        for event in events:
            if isinstance(event, Unsaid):
                if event.name in self._unsaid:
                    continue
                self._unsaid.add(event.name)
            kept.append(event)
        return kept


class _Waiting:
    """The items that wait for their entry in the whole output. Each is taken once, from whichever queue it is in."""

    def __init__(self, items: list[GrowingItem]) -> None:
        self._left = set(items)
        self._alike: defaultdict[str, deque[GrowingItem]] = defaultdict(deque)
        self._named: defaultdict[tuple[str, str], deque[GrowingItem]] = defaultdict(deque)
        for item in items:
            self._alike[item.type].append(item)
            if item.id is not None:
                self._named[item.type, item.id].append(item)

    def take(self, type_: str, id_: str | None, placed: GrowingItem | None) -> GrowingItem | None:
        """The one of this type that has this id, else the one at the entry's place, else the next. None: none is left.

        `placed` is what stands there, of whichever type.
        """
        named = None if id_ is None else self._next(self._named.get((type_, id_)))
        at_place = placed if placed in self._left and placed.type == type_ else None
        found = named or at_place or self._next(self._alike.get(type_))
        self._left.discard(found)
        return found

    def _next(self, queue: deque[GrowingItem] | None) -> GrowingItem | None:
        while queue and queue[0] not in self._left:
            queue.popleft()
        return queue[0] if queue else None


def _type(told: Body) -> str:
    return as_text(told.get("type")) or ""


def _is_output(told: Body) -> bool:
    return _type(told).endswith("_call_output")


def _index(body: Body, name: str) -> int:
    """Where a part stands among those of its item: 0 when it is not said, as of calls."""
    said = bytes(body.get(name, b""))
    return int(said) if said.isdigit() and len(said) <= _INDEX_DIGITS else 0
