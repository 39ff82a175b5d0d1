"""An output item as a client is told it: it is added, its parts grow and end, and at last it is told whole.

Source: the streaming events of the Responses reference, read 2026-11.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from msgspec import Raw, structs

from setpoint.canonical.parts import Part, Reasoning, Refusal, Text, ToolCall
from setpoint.protocols.responses.items import belongs, new_item_id, write_annotation, write_group, write_said
from setpoint.protocols.responses.scores import filled_scores
from setpoint.wire.body import NULL, as_array, join, raw

if TYPE_CHECKING:
    from collections.abc import Callable

    from setpoint.canonical.fold import Fold
    from setpoint.canonical.parts import Citation
    from setpoint.protocols.responses.frames import Sequence
    from setpoint.wire.body import Body

_Spoken = Text | Refusal | Reasoning

_EMPTY = Raw(b'""')
_EMPTY_LIST = Raw(b"[]")
_NOTHING = Text(text=_EMPTY)
_IN_PROGRESS = Raw(b'"in_progress"')
_SUMMARY_TEXT = Raw(b'"summary_text"')
_REASONING_TEXT = Raw(b'"reasoning_text"')
_PICTURES = ("result", "imageUrl")


class _Member(NamedTuple):
    """How a part is told of as one of several: the family of events, the count of its place, and what it begins as."""

    family: bytes
    place: str
    empty: _Spoken


class _Words(NamedTuple):
    """How a part is told: the family of events, the member with all that it says, what each piece has beside it."""

    family: bytes
    whole: str
    member: _Member | None = None
    beside: Mapping[str, Raw] = MappingProxyType({})


_CONTENT = (b"response.content_part", "content_index")
_TEXT = _Words(
    *(b"response.output_text", "text", _Member(*_CONTENT, Text(text=_EMPTY))),
    MappingProxyType({"logprobs": _EMPTY_LIST}),
)
_REFUSAL = _Words(b"response.refusal", "refusal", _Member(*_CONTENT, Refusal(text=_EMPTY)))
_THOUGHT = _Words(b"response.reasoning_text", "text", _Member(*_CONTENT, Reasoning(kind="text")))
_SUMMARY = _Words(
    *(b"response.reasoning_summary_text", "text"),
    _Member(b"response.reasoning_summary_part", "summary_index", Reasoning(kind="summary")),
)
_ARGUMENTS = _Words(b"response.function_call_arguments", "arguments")
_INPUT = _Words(b"response.custom_tool_call_input", "input")


def _words(part: Part) -> _Words | None:
    """How a part is told; None for one that is told only with its item."""
    match part:
        case Text():
            return _TEXT
        case Refusal():
            return _REFUSAL
        case Reasoning(kind="text"):
            return _THOUGHT
        case Reasoning(kind="summary"):
            return _SUMMARY
        case ToolCall(kind="function"):
            return _ARGUMENTS
        case ToolCall(kind="custom"):
            return _INPUT
        case _:
            return None


class _OpenPart:
    """One part of an item, the how many-th its `position` says. `place` is where it stands, once it is told of."""

    __slots__ = ("annotations", "before", "ended", "number", "place", "position", "scores", "told", "words")

    def __init__(self, number: int, position: int, words: _Words | None) -> None:
        self.number = number
        self.position = position
        self.words = words
        self.place: Body | None = None
        self.before = b""
        self.annotations: list[Raw] = []
        self.scores: list[Raw] = []
        self.ended = False
        self.told = False


class OpenItem:
    """One output item, at its place in the output. `body` is the whole of it once it is complete."""

    def __init__(self, index: int, head: Part, new_id: Callable[[str], str], sequence: Sequence, fold: Fold) -> None:
        self.body: Body | None = None
        self.position = index
        self._new_id = new_id
        self._id = new_item_id(head, new_id)
        self._index = raw(index)
        self._call_id = new_id("call_") if isinstance(head, ToolCall) and not head.id else None
        self._sequence = sequence
        self._fold = fold
        self._parts: dict[int, _OpenPart] = {}
        self._growing = 0  # how many of them have not ended
        self._ending: list[_OpenPart] = []  # those that have, and are not told so
        self._places: Counter[str] = Counter()

    @property
    def is_open(self) -> bool:
        """Whether it is not complete."""
        return self.body is None

    @property
    def all_ended(self) -> bool:
        """Whether every part of it has ended."""
        return not self._growing

    def takes(self, head: Part) -> bool:
        """Whether a part that begins now belongs to this item, which was the last to begin."""
        last = next(reversed(self._parts))
        return (self.all_ended or not isinstance(head, Reasoning)) and belongs(self._fold.part(last), head)

    def added(self, head: Part) -> bytes:
        """The item begins, still empty. Nothing yet of one that is told only whole."""
        match head:
            case Text() | Refusal():
                shown = {**self._written([head], "in_progress"), "content": _EMPTY_LIST}
            case Reasoning():
                shown = self._written([structs.replace(head, text=None, seal=None)], "in_progress")
                shown.pop("encrypted_content", None)  # known when the item is complete
            case ToolCall(kind="function" | "custom"):
                shown = self._written([head], "in_progress")
            case _:
                return b""
        return self._item_event(b"response.output_item.added", shown)

    def begin(self, number: int, head: Part) -> bytes:
        """A part begins. A step of reasoning is told of when it says something: it may be nothing but sealed."""
        part = self._parts[number] = _OpenPart(number, len(self._parts), _words(head))
        self._growing += 1
        return b"" if isinstance(head, Reasoning) else self._show(part)

    def grew(self, number: int, text: Raw) -> bytes:
        """A piece of a part."""
        part = self._parts[number]
        shown = self._show(part) if part.place is None else b""
        if part.words is None or text == _EMPTY:
            return shown
        return shown + part.before + self._sequence.number() + b',"delta":' + bytes(text) + b"}\n\n"

    def cited(self, number: int, citation: Citation) -> bytes:
        """The source of a piece of text, where this protocol has a word for it."""
        part, annotation = self._parts[number], write_annotation(citation)
        if annotation is None or part.place is None:
            return b""
        told: Body = {**part.place, "annotation_index": raw(len(part.annotations)), "annotation": annotation}
        part.annotations.append(annotation)
        return self._sequence.event(b"response.output_text.annotation.added", told)

    def scored(self, number: int, entries: Raw) -> bytes:
        """The log probabilities of the text that came last: they ride on a piece, which has no words of its own."""
        part = self._parts[number]
        if part.told or part.place is None:
            return b""
        entries = filled_scores(entries)
        part.scores += as_array(entries)
        return self._sequence.event(_TEXT.family + b".delta", {**part.place, "delta": _EMPTY, "logprobs": entries})

    def ended(self, number: int) -> None:
        """A part has ended. It is told so once it is clear that nothing more is said of it."""
        part = self._parts[number]
        if not part.ended:
            part.ended = True
            self._growing -= 1
            self._ending.append(part)

    def tell_ended(self) -> bytes:
        """The ends of the parts that have ended, in the order in which they began."""
        ending, self._ending = sorted(self._ending, key=_position), []
        return b"".join([self._end(part) for part in ending])

    def close(self, status: str) -> bytes:
        """The item is complete: the ends of all its parts, and the whole of it."""
        for number in self._parts:
            self.ended(number)
        told = self.tell_ended()
        if self._is_told_whole:
            self._id = new_item_id(self._fold.part(next(iter(self._parts))), self._new_id)
        body = self.body = self._so_far(status)
        if self._is_told_whole:
            told += self._whole_added(body)
        return told + self._item_event(b"response.output_item.done", body)

    def unfinished(self) -> Body | None:
        """The item as far as it came, when no more will; None for one that is told only whole."""
        return None if self._is_told_whole else self._so_far("incomplete")

    @property
    def _is_told_whole(self) -> bool:
        return any(
            part.words is None and not isinstance(self._fold.part(part.number), Reasoning)
            for part in self._parts.values()
        )

    def _so_far(self, status: str) -> Body:
        parts = [(self._fold.part(number), told) for number, told in self._parts.items()]
        said = [_part_body(part, told) for part, told in parts if isinstance(part, Text | Refusal)]
        if said:
            return {**self._written([_NOTHING], status), "content": raw(said)}
        return self._written([part for part, _ in parts], status)

    def _written(self, parts: list[Part], status: str) -> Body:
        item = write_group(parts, self._id, status)
        if self._call_id is not None:
            item["call_id"] = raw(self._call_id)
        return item

    def _whole_added(self, item: Body) -> bytes:
        """The beginning of an item that is told only whole: a call's action at once, a picture when it is there."""
        shown = {**item, "status": _IN_PROGRESS, **{name: NULL for name in _PICTURES if name in item}}
        if "arguments" not in item:
            return self._item_event(b"response.output_item.added", shown)
        # A call that tells no action of its kind is written as a function's.
        added = self._item_event(b"response.output_item.added", {**shown, "arguments": _EMPTY})
        place = {"item_id": raw(self._id), "output_index": self._index}
        told = {**place, "arguments": item["arguments"], "name": item["name"]}
        delta = self._sequence.event(_ARGUMENTS.family + b".delta", {**place, "delta": item["arguments"]})
        return added + delta + self._sequence.event(_ARGUMENTS.family + b".done", told)

    def _show(self, part: _OpenPart) -> bytes:
        """Tell of a part that begins."""
        words = part.words
        if words is None:
            return b""
        part.place = {"item_id": raw(self._id), "output_index": self._index}
        member = words.member
        if member is not None:
            part.place[member.place] = raw(self._places[member.place])
            self._places[member.place] += 1
        kind = words.family + b".delta"
        head = {"type": Raw(b'"' + kind + b'"'), **part.place, **words.beside}
        part.before = b"event: " + kind + b"\ndata: " + join(head)[:-1] + b',"sequence_number":'
        return (
            b"" if member is None else self._member_event(words, b".added", part.place, _part_body(member.empty, part))
        )

    def _end(self, part: _OpenPart) -> bytes:
        """Tell that a part has ended, and all that it says."""
        part.told = True
        words, place, whole = part.words, part.place, self._fold.part(part.number)
        if words is None or place is None:
            return b""
        kind = words.family + b".done"
        match whole:
            case ToolCall(arguments=arguments, name=name):
                named = {"name": raw(name)} if words is _ARGUMENTS else {}
                return self._sequence.event(kind, {**place, words.whole: arguments, **named})
            case Text() | Refusal() | Reasoning():
                body = _part_body(whole, part)
                beside = {name: body[name] for name in words.beside}
                told = self._sequence.event(kind, {**place, words.whole: body[words.whole], **beside})
                return told + self._member_event(words, b".done", place, body)
            case _:
                return b""

    def _member_event(self, words: _Words, step: bytes, place: Body, body: Body) -> bytes:
        if words.member is None:
            return b""
        return self._sequence.event(words.member.family + step, {**place, "part": Raw(join(body))})

    def _item_event(self, kind: bytes, item: Body) -> bytes:
        return self._sequence.event(kind, {"output_index": self._index, "item": Raw(join(item))})


def _part_body(part: _Spoken, told: _OpenPart) -> Body:
    """A part as its item tells it, with the annotations and the scores that it was told with."""
    match part:
        case Reasoning():
            return {"type": _SUMMARY_TEXT if part.kind == "summary" else _REASONING_TEXT, "text": part.text or _EMPTY}
        case Refusal():
            return write_said(part)
        case Text(text=text):
            said = write_said(Text(text=text))
            return {**said, "annotations": raw(told.annotations), "logprobs": raw(told.scores)}


def _position(part: _OpenPart) -> int:
    return part.position
