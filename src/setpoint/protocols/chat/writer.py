"""The stream of the chat protocol, written from the events of another dialect's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Raw, Struct, structs

from setpoint.canonical.events import Began, Cited, Finished, Grew, PartBegan, PartEnded, Scored, Sealed
from setpoint.canonical.parts import Citation, Media, Reasoning, Refusal, Text, ToolCall
from setpoint.protocols.chat.calls import (
    FREE_TEXT_BEGIN,
    FREE_TEXT_END,
    CustomTools,
    free_text,
    write_arguments,
    write_tool_call,
    written_kind,
)
from setpoint.protocols.chat.chunks import Chunks
from setpoint.protocols.chat.message import count_characters, write_annotations, write_media
from setpoint.protocols.chat.reasoning import whole, write_details
from setpoint.protocols.chat.scores import write_scores
from setpoint.protocols.chat.usage import write_usage
from setpoint.wire.body import NULL, Body, join, join_strings, raw

if TYPE_CHECKING:
    from setpoint.canonical.events import Event
    from setpoint.canonical.parts import CallKind
    from setpoint.errors import SetpointError
    from setpoint.protocols.answer import Bill, Opening

_ASSISTANT = Raw(b'"assistant"')
_EMPTY = Raw(b'""')
_BLANK_LINE = raw("\n\n")


def writer(opening: Opening) -> ChatWriter:
    """The writer of one stream."""
    return ChatWriter(opening)


class _Open(Struct):
    """A part that grows. `place` is a call's number, a step's, or the characters in front of a text.

    `quoted`: it is a call whose free text becomes a function's one argument.
    """

    head: Text | Refusal | Reasoning | ToolCall | Media
    place: int
    seals: list[Raw]
    citations: list[Citation]
    quoted: bool = False


class ChatWriter:
    """The state of one stream."""

    def __init__(self, opening: Opening) -> None:
        self._chunks = Chunks(opening)
        self._new_id = opening.new_id
        self._custom_tools = CustomTools(opening.request)
        self._parts: dict[int, _Open] = {}
        self._spoke = False
        self._calls = 0
        self._steps = 0
        self._characters = 0
        self._told_step: int | None = None  # which step the plain reasoning was of; the next stands behind a blank line
        self._introductions = set[int]()

    @property
    def open_parts(self) -> int:
        """How many parts have not ended."""
        return len(self._parts)

    def write(self, event: Event) -> bytes:
        """What the client gets for this event: one frame, or nothing."""
        match event:
            case Began(service_tier=tier):
                if tier is not None:
                    self._chunks.head["service_tier"] = raw(tier)
            case PartBegan(part, head):
                return self._begin(part, head)
            case Grew(part, text):
                return self._grow(self._parts[part], text)
            case Cited(part, citation):
                self._parts[part].citations.append(citation)
            case Sealed(part, seal):
                self._parts[part].seals.append(seal)
            case PartEnded(part):
                return self._close(self._parts.pop(part))
            case Scored(entries):
                return self._say({}, logprobs=write_scores(entries))
            case Finished(finish):
                return self._say({}, finish_reason=raw(finish.reason), native_finish_reason=raw(finish.native))
            case _:
                pass
        return b""

    def end(self, bill: Bill, metadata: Raw | None) -> bytes:
        """The last frames: one usage chunk, with router metadata when there is some, then `[DONE]`."""
        return self._chunks.end(write_usage(None, bill), metadata)

    def fail(self, error: SetpointError, metadata: Raw | None) -> bytes:
        """The last frames of an answer that broke, or never began: the error chunk, then `[DONE]`."""
        return self._chunks.fail(error, metadata)

    def _say(self, delta: Body, **beside: Raw) -> bytes:
        if not self._spoke:
            self._spoke = True
            delta = {"role": _ASSISTANT, **delta}
        choice = {"index": raw(0), "delta": Raw(join(delta)), "finish_reason": NULL, **beside}
        return self._chunks.write({"choices": raw([choice])})

    def _begin(self, part: int, head: Text | Refusal | Reasoning | ToolCall | Media) -> bytes:
        place, quoted = self._characters, False
        match head:
            case ToolCall():
                place, self._calls = self._calls, self._calls + 1
                if quoted := self._custom_tools.lack(head):
                    head = structs.replace(head, kind="function", arguments=FREE_TEXT_BEGIN)
                call = write_tool_call(head, head.id or self._new_id("call_"))
            case Reasoning():
                place, self._steps = self._steps, self._steps + 1
                call = None
            case _:
                call = None
        self._parts[part] = _Open(head, place, [], [], quoted)
        if call is not None:
            return self._say({"tool_calls": raw([{"index": place, **call}])})
        if isinstance(head, Media) and (made := write_media([head])):
            return self._say(made)
        return b""

    def _grow(self, part: _Open, text: Raw) -> bytes:
        if text == _EMPTY:
            return b""
        match part.head:
            case Text():
                self._characters += count_characters(text)
                return self._say({"content": text})
            case Refusal():
                return self._say({"refusal": text})
            case Reasoning():
                return self._say(self._thinking(part.head, part.place, text))
            case ToolCall(kind=kind):
                return self._say_arguments(part.place, kind, free_text(text) if part.quoted else text)
            case Media():
                return b""

    def _say_arguments(self, place: int, kind: CallKind, text: Raw) -> bytes:
        word = written_kind(kind)
        fragment: Body = {"index": raw(place), word: Raw(join(write_arguments(word, text)))}
        return self._say({"tool_calls": raw([fragment])})

    def _thinking(self, head: Reasoning, place: int, text: Raw) -> Body:
        """A piece of reasoning, as plain text and as a detail of its step."""
        between = _EMPTY if self._told_step in (None, place) else _BLANK_LINE
        self._told_step = place
        details = write_details(self._introduced(structs.replace(head, text=text, seal=None), place), place)
        return {"reasoning": join_strings([between, text]), "reasoning_details": raw(details)}

    def _introduced(self, step: Reasoning, place: int) -> Reasoning:
        """A piece of a step, with its id and its format on the first one only: clients join what is repeated."""
        if place in self._introductions:
            return structs.replace(step, id=None, format=None)
        self._introductions.add(place)
        return step

    def _close(self, part: _Open) -> bytes:
        """What could be said only when a part was complete: its seal, where it comes from, the end of an argument."""
        if part.quoted:
            return self._say_arguments(part.place, "function", FREE_TEXT_END)
        if isinstance(part.head, Reasoning) and part.seals:
            sealed = structs.replace(part.head, text=None, seal=join_strings(part.seals))
            sealed = sealed if part.place in self._introductions else whole(sealed)
            sealed = self._introduced(sealed, part.place)
            return self._say({"reasoning_details": raw(write_details(sealed, part.place))})
        annotations = write_annotations(part.citations, part.place, self._characters)
        return self._say({"annotations": raw(annotations)}) if annotations else b""
