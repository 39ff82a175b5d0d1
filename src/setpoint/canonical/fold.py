"""Streamed answers and whole ones are the same thing: `Fold` makes one of the steps, `unfold` steps of one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Raw, structs

from setpoint.canonical.events import (
    Began,
    Cited,
    Counted,
    Event,
    Finished,
    Grew,
    PartBegan,
    PartEnded,
    Scored,
    Sealed,
    Unsaid,
)
from setpoint.canonical.parts import Citation, Media, Part, Reasoning, Refusal, Text, ToolCall, ToolResult
from setpoint.canonical.result import Result
from setpoint.wire.body import items
from setpoint.wire.strings import GrowingString

if TYPE_CHECKING:
    from collections.abc import Iterator

_EMPTY = Raw(b'""')


class _Open:
    """One part that grows."""

    __slots__ = ("citations", "grown", "head", "sealed")

    def __init__(self, head: Text | Refusal | Reasoning | ToolCall | Media) -> None:
        self.head = head
        self.grown: GrowingString | None = None  # what came of it behind its head; None: nothing
        self.sealed: GrowingString | None = None
        self.citations: list[Citation] = []

    def whole(self) -> Part:
        """The part with all that came of it."""
        match self.head:
            case Media():
                return self.head
            case ToolCall():
                return structs.replace(self.head, arguments=_whole(self.grown) or self.head.arguments)
            case Text():
                text = _whole(self.grown) or self.head.text
                return structs.replace(self.head, text=text, citations=(*self.head.citations, *self.citations))
            case Refusal():
                return structs.replace(self.head, text=_whole(self.grown) or self.head.text)
            case Reasoning():
                text, seal = _whole(self.grown) or self.head.text, _whole(self.sealed) or self.head.seal
                return structs.replace(self.head, text=text, seal=seal)

    def grow(self, text: Raw) -> None:
        """A piece of the text, or of the arguments."""
        if self.grown is None:
            self.grown = GrowingString(_said(self.head))
        self.grown.add(text)

    def seal(self, seal: Raw) -> None:
        """The opaque value, or what joins on to it."""
        if self.sealed is None:
            begun = self.head.seal if isinstance(self.head, Reasoning) else None
            self.sealed = GrowingString([] if begun is None else [begun])
        self.sealed.add(seal)


def _whole(grown: GrowingString | None) -> Raw | None:
    return None if grown is None else grown.whole()


def _said(head: Text | Refusal | Reasoning | ToolCall | Media) -> list[Raw]:
    """What a part says in its head, before it grows."""
    match head:
        case ToolCall(arguments=text) | Text(text=text) | Refusal(text=text):
            return [text]
        case Reasoning(text=text):
            return [] if text is None else [text]
        case Media():
            return []


class Fold:
    """The whole answer that the steps so far make. `add` takes them in order."""

    def __init__(self) -> None:
        self._parts: dict[int, _Open] = {}
        self._result = Result()
        self._scores: list[Raw] = []
        self._unsaid: dict[str, None] = {}

    def add(self, event: Event) -> None:
        """Take one step."""
        match event:
            case PartBegan(part, head):
                self._parts[part] = _Open(head)
            case Grew(part, text):
                self._parts[part].grow(text)
            case Sealed(part, seal):
                self._parts[part].seal(seal)
            case Cited(part, citation):
                self._parts[part].citations.append(citation)
            case PartEnded():
                pass
            case Scored(entries):
                self._scores.append(entries)
            case Unsaid(name):
                self._unsaid[name] = None
            case Began(upstream_id, service_tier):
                self._result = structs.replace(
                    self._result,
                    upstream_id=self._result.upstream_id or upstream_id,
                    service_tier=service_tier or self._result.service_tier,
                )
            case Counted(usage, provider_cost, final):
                if final:
                    self._result = structs.replace(self._result, usage=usage, provider_cost=provider_cost)
            case Finished(finish):
                self._result = structs.replace(self._result, finish=finish)

    def part(self, number: int) -> Part:
        """One part as it is so far."""
        return self._parts[number].whole()

    def result(self) -> Result:
        """All that came, put together."""
        return structs.replace(
            self._result,
            parts=tuple(part.whole() for part in self._parts.values()),
            logprobs=_joined(self._scores),
            unsaid=tuple(self._unsaid),
        )


def _joined(scores: list[Raw]) -> Raw | None:
    entries = [bytes(entry) for listed in scores for entry in items(listed)]
    return Raw(b"[" + b",".join(entries) + b"]") if scores else None


def unfold(result: Result) -> Iterator[Event]:
    """The steps that make this answer, each part in one piece."""
    yield Began(result.upstream_id, result.service_tier)
    for number, part in enumerate(part for part in result.parts if not isinstance(part, ToolResult)):
        yield from _steps(number, part)
    if result.logprobs is not None:
        yield Scored(result.logprobs)
    for name in result.unsaid:
        yield Unsaid(name)
    if result.finish is not None:
        yield Finished(result.finish)
    if result.usage is not None:
        yield Counted(result.usage, result.provider_cost)


def _steps(number: int, part: Text | Refusal | Reasoning | ToolCall | Media) -> Iterator[Event]:
    match part:
        case Media():
            yield PartBegan(number, part)
        case Text(text=text, citations=citations):
            yield PartBegan(number, structs.replace(part, text=_EMPTY, citations=()))
            if text != _EMPTY:
                yield Grew(number, text)
            for citation in citations:
                yield Cited(number, citation)
        case Refusal(text=text):
            yield PartBegan(number, structs.replace(part, text=_EMPTY))
            yield Grew(number, text)
        case ToolCall(arguments=arguments):
            yield PartBegan(number, structs.replace(part, arguments=_EMPTY))
            if arguments != _EMPTY:
                yield Grew(number, arguments)
        case Reasoning(text=text, seal=seal):
            yield PartBegan(number, structs.replace(part, text=None, seal=None))
            if text is not None:
                yield Grew(number, text)
            if seal is not None:
                yield Sealed(number, seal)
    yield PartEnded(number)
