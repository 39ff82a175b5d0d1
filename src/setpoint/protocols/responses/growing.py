"""An output item as an upstream tells it: piece by piece, whole at the end of a part, whole at the end of the item.

Each of these may be missing, or be all there is. What was not told before is told as an event; nothing is told twice.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Literal

from msgspec import Raw, structs

from setpoint.canonical.events import Cited, Event, Grew, PartBegan, PartEnded, Scored, Sealed, Unsaid
from setpoint.canonical.parts import Media, Reasoning, Refusal, Text, ToolCall, ToolResult
from setpoint.protocols.responses.calls import KINDS
from setpoint.protocols.responses.items import read_items
from setpoint.protocols.responses.reasoning import FORMAT
from setpoint.protocols.responses.scores import filled_scores
from setpoint.protocols.responses.texts import SAID, read_annotation
from setpoint.wire.body import (
    as_array,
    as_object,
    as_text,
    is_array,
    is_string,
    raw,
    value,
)
from setpoint.wire.strings import GrowingString

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from setpoint.canonical.parts import Citation, Part
    from setpoint.wire.body import Body

What = Literal["text", "refusal", "thought", "summary", "call"]
"""What a piece is a piece of."""

_EMPTY = Raw(b'""')
_EMPTY_LIST = Raw(b"[]")

_Place = tuple[Literal["summary", "content", "seal", "call"], int]
_Said = Text | Refusal | Reasoning | ToolCall | Media

_GROWING_CALLS = {"function_call": "arguments", "custom_tool_call": "input"}
_CALL: _Place = ("call", 0)

# No character of a JSON string is written in more bytes than a pair of escaped surrogates.
_MOST_BYTES_A_CHARACTER = 12


class _GrowingPart:
    """One part by its canonical number. What it is told is given as events as long as it has not ended."""

    __slots__ = ("cited", "ended", "number", "said", "scored")

    def __init__(self, number: int) -> None:
        self.number = number
        self.said = GrowingString()
        self.cited = 0
        self.scored = False
        self.ended = False

    def grow(self, delta: Raw) -> list[Event]:
        """A piece of the text."""
        if self.ended or delta == _EMPTY:
            return []
        self.said.add(delta)
        return [Grew(self.number, delta)]

    def told(self, whole: Raw | None) -> list[Event]:
        """The whole text: what of it has not come in pieces. When something else came than that, it stays."""
        if whole is None or not is_string(whole):
            return []
        if len(self.said) > _MOST_BYTES_A_CHARACTER * len(memoryview(whole)):
            return []  # less than came, seen at the cost of what is told now
        said = self.said.whole()
        if said == whole:
            return []
        before, after = str(value(said)), str(value(whole))
        return self.grow(raw(after[len(before) :])) if after.startswith(before) else []

    def cite(self, citations: Sequence[Citation]) -> list[Event]:
        """All the sources: those that have not come before."""
        if self.ended:
            return []
        new, self.cited = citations[self.cited :], max(self.cited, len(citations))
        return [Cited(self.number, citation) for citation in new]

    def score(self, scores: Raw | None) -> list[Event]:
        """Log probabilities of a piece of the text."""
        if scores is None or scores == _EMPTY_LIST or not is_array(scores):
            return []
        self.scored = True
        return [Scored(filled_scores(scores))]

    def score_whole(self, scores: Raw | None) -> list[Event]:
        """Log probabilities of all the text, unless they came with its pieces."""
        return [] if self.scored else self.score(scores)

    def seal(self, seal: Raw | None) -> list[Event]:
        """The opaque value of a step of reasoning."""
        return [] if self.ended or seal is None else [Sealed(self.number, seal)]

    def end(self) -> list[Event]:
        """Nothing more comes."""
        if self.ended:
            return []
        self.ended = True
        return [PartEnded(self.number)]


class GrowingItem:
    """One output item. `type` is the protocol's word for it; `settled` once all of it has been told."""

    def __init__(self, type_: str, id_: str | None, numbers: Iterator[int]) -> None:
        self.type = type_
        self.id = id_
        self.settled = False
        self._numbers = numbers
        self._format = FORMAT
        self._parts: dict[_Place, _GrowingPart] = {}
        self._complete: list[_GrowingPart] = []  # those that end when another begins
        self._nameless = False  # pieces of a call came before anybody said which tool it calls

    @property
    def is_call(self) -> bool:
        """Whether this is a call of the client's that has begun."""
        return _CALL in self._parts

    def added(self, item: Body) -> list[Event]:
        """The item begins. Of most nothing is known yet but that there is one; a call has its name."""
        self._format = as_text(item.get("format")) or self._format
        name = as_text(item.get("name"))
        if self.type not in _GROWING_CALLS or not name or self.is_call or self._nameless:
            return []
        head = ToolCall(
            id=as_text(item.get("call_id")) or "",
            name=name,
            arguments=_EMPTY,
            kind=KINDS[self.type],
            namespace=as_text(item.get("namespace")),
            item_id=self.id,
        )
        events, part = self._begin(_CALL, head)
        return events + part.told(item.get(_GROWING_CALLS[self.type]))

    def began(self, what: What, index: int) -> list[Event]:
        """A part begins."""
        return self._opened(what, index)[0]

    def grew(self, what: What, index: int, delta: Raw, scores: Raw | None) -> list[Event]:
        """A piece of a part comes."""
        events, part = self._opened(what, index)
        return events if part is None else events + part.grow(delta) + part.score(scores)

    def whole(self, what: What, index: int, text: Raw | None, scores: Raw | None) -> list[Event]:
        """The whole text of a part comes."""
        events, part = self._opened(what, index)
        return events if part is None else events + part.told(text) + part.score_whole(scores)

    def cited(self, index: int, annotation: Raw) -> list[Event]:
        """The source of a piece of text comes."""
        events, part = self._opened("text", index)
        citation = read_annotation(annotation)
        if citation is None:
            return [*events, Unsaid(f"annotations.{as_text(as_object(annotation).get('type'))}")]
        if part is None or part.ended:
            return events
        part.cited += 1
        return [*events, Cited(part.number, citation)]

    def completed(self, what: What, index: int, told: Body) -> list[Event]:
        """A part is complete, and told whole. Only its item may still add to it, as long as no other part begins."""
        events, part = self._opened(what, index)
        if part is None:
            return events
        links = [link for entry in as_array(told.get("annotations")) if (link := read_annotation(entry)) is not None]
        events += part.told(told.get("refusal" if what == "refusal" else "text"))
        events += part.cite(links)
        self._complete.append(part)
        return events + part.score_whole(told.get("logprobs"))

    def settle(self, entry: Raw) -> list[Event]:
        """The whole item comes: what of it was not told yet, and the ends of its parts.

        Raises: `ProviderError` when it is not of the shape that its type says.
        """
        parts, unsaid = read_items([entry])
        item = as_object(entry)
        events = [event for place, part in _placed(item, parts) for event in self._settle_part(place, part)]
        for index, content in enumerate(as_array(item.get("content"))):
            if part := self._parts.get(("content", index)):
                events += part.score_whole(as_object(content).get("logprobs"))
        events += [Unsaid(name) for name in unsaid]
        return events + self.end()

    def end(self) -> list[Event]:
        """The ends of the parts that are open."""
        self.settled = True
        return [event for part in self._parts.values() for event in part.end()]

    def _settle_part(self, place: _Place, said: _Said) -> list[Event]:
        """What of one part of the whole item was not told."""
        begun = self._parts.get(place)
        events, part = self._begin(place, said) if begun is None else (list[Event](), begun)
        match said:
            case Text(text=text, citations=citations):
                return events + part.told(text) + part.cite(citations)
            case Refusal(text=text) | ToolCall(arguments=text):
                return events + part.told(text)
            case Reasoning(text=text, seal=seal):
                return events + part.told(text) + part.seal(seal)
            case Media():
                return events

    def _opened(self, what: What, index: int) -> tuple[list[Event], _GrowingPart | None]:
        """The part at this place, with what begins it when it is new; None while nobody has said its name."""
        place: _Place = _CALL if what == "call" else ("summary" if what == "summary" else "content", index)
        part = self._parts.get(place)
        if part is not None:
            return [], part
        match what:
            case "text":
                return self._begin(place, Text(text=_EMPTY))
            case "refusal":
                return self._begin(place, Refusal(text=_EMPTY))
            case "thought" | "summary":
                kind = "text" if what == "thought" else "summary"
                return self._begin(place, Reasoning(kind=kind, maker="responses", format=self._format, id=self.id))
            case "call":
                self._nameless = True
                return [], None

    def _begin(self, place: _Place, said: _Said) -> tuple[list[Event], _GrowingPart]:
        """Begin a part, behind the ends of those before it that are complete."""
        complete, self._complete = sorted(self._complete, key=_number), []
        events = [event for before in complete for event in before.end()]
        part = self._parts[place] = _GrowingPart(next(self._numbers))
        return [*events, PartBegan(part.number, _head(said))], part


def _number(part: _GrowingPart) -> int:
    return part.number


def _placed(item: Body, parts: list[Part]) -> Iterator[tuple[_Place, _Said]]:
    """The parts of a whole item, each with the place that events about a piece of it name."""
    summary, thoughts = count(), count()
    said = (
        index
        for index, content in enumerate(as_array(item.get("content")))
        if as_text(as_object(content).get("type")) in SAID
    )
    for part in parts:
        match part:
            case Reasoning(kind="summary"):
                yield ("summary", next(summary)), part
            case Reasoning(kind="text"):
                yield ("content", next(thoughts)), part
            case Reasoning():
                yield ("seal", 0), part
            case ToolCall():
                yield _CALL, part
            case Text() | Refusal() | Media():
                yield ("content", next(said, 0)), part
            case ToolResult():
                pass


def _head(said: _Said) -> _Said:
    """A part without what is told of it by later events."""
    match said:
        case Text():
            return Text(text=_EMPTY)
        case Refusal():
            return Refusal(text=_EMPTY)
        case Reasoning():
            return structs.replace(said, text=None, seal=None, path="")
        case ToolCall():
            return structs.replace(said, arguments=_EMPTY, path="")
        case Media():
            return structs.replace(said, path="")
