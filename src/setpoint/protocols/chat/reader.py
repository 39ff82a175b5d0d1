"""An answer of a chat upstream as events: a stream chunk by chunk, and a whole answer as if it were one chunk."""

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
from setpoint.canonical.parts import Media, Reasoning, Refusal, Text
from setpoint.canonical.result import Finish
from setpoint.errors import FieldError, ProviderError
from setpoint.protocols.answer import StreamFailedError
from setpoint.protocols.base import read_text
from setpoint.protocols.chat.audio import Sound
from setpoint.protocols.chat.citations import read_citation
from setpoint.protocols.chat.content import read_part, string_or_none
from setpoint.protocols.chat.finish import normal_finish_reason
from setpoint.protocols.chat.fragments import Calls
from setpoint.protocols.chat.reading import read_image
from setpoint.protocols.chat.reasoning import Detail, plain_reasoning, read_detail
from setpoint.protocols.chat.usage import read_input, read_usage
from setpoint.protocols.failures import Reported, reported_in
from setpoint.wire.body import (
    NULL,
    MalformedError,
    as_array,
    as_object,
    as_text,
    is_array,
    is_null,
    is_string,
    members,
    split,
)

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from decimal import Decimal

    from setpoint.canonical.parts import Citation
    from setpoint.wire.body import Body
    from setpoint.wire.sse import Frame

_EMPTY = Raw(b'""')


def reader() -> ChatReader:
    """The reader of one stream."""
    return ChatReader()


class _Open:
    """The words that grow at present. `detail` is the last piece of reasoning, None for plain words."""

    __slots__ = ("detail", "head", "number")

    def __init__(self, number: int, head: Text | Refusal | Reasoning, detail: Detail | None) -> None:
        self.number = number
        self.head = head
        self.detail = detail


class ChatReader:
    """The state of one answer: of its choices the first that speaks is read.

    Of words and thoughts one part is open at a time: it ends where something else begins. Calls are open side by side
    up to the end, since their fragments may come in turns.
    """

    def __init__(self) -> None:
        self._parts = 0
        self._open: _Open | None = None
        self._calls = Calls(self._next_part)
        self._sound = Sound()
        self._citations: list[Citation] = []  # of words that have not come yet
        self._began = False
        self._choice: bytes | None = None
        self._finished = False
        self._done_seen = False
        self._counted = False
        self._cost: Decimal | None = None

    @property
    def terminal(self) -> bool:
        """Whether the upstream has said that its answer is complete."""
        return self._done_seen or self._finished

    @property
    def done(self) -> bool:
        """Whether nothing that still counts can come: `[DONE]` and the usage are both there."""
        return self._done_seen and self._counted

    @property
    def done_seen(self) -> bool:
        """Whether `[DONE]` came; only a late usage is of interest from there on."""
        return self._done_seen

    def read(self, frame: Frame) -> list[Event]:
        """The events of this frame.

        Raises: `StreamFailedError` for an error that the upstream reports, `ProviderError` for a malformed event.
        """
        if frame.data == b"[DONE]":
            self._done_seen = True
            return list(self._end())
        try:
            chunk = split(frame.data)
            if self._done_seen:  # of what comes behind the end only a usage that has not come yet counts
                return [] if self._counted else list(self._count(chunk))
            if frame.event == b"error" or not is_null(chunk.get("error", NULL)):
                raise StreamFailedError(reported_in(chunk) or Reported())
            return list(self.read_chunk(chunk))
        except MalformedError as error:
            if self._done_seen:
                return []
            raise ProviderError("provider_unavailable", "the provider sent a malformed event") from error

    def read_chunk(self, chunk: Body) -> Iterator[Event]:
        """The events of one chunk. Raises: `MalformedError`, and `StreamFailedError` when it finishes with an error."""
        choices, id_ = as_array(chunk.get("choices")), as_text(chunk.get("id")) or None
        if not self._began and (choices or id_ or "usage" in chunk):  # some say something of the prompt before
            self._began = True
            yield Began(id_, as_text(chunk.get("service_tier")))
        yield from self._count(chunk)
        for entry in choices:
            choice = members(entry)
            index = choice.get("index", NULL)
            index = b"0" if is_null(index) else bytes(index)
            self._choice = self._choice or index
            if index == self._choice and not self._finished:
                yield from self._read_choice(choice)

    def _count(self, chunk: Body) -> Iterator[Event]:
        usage = chunk.get("usage")
        if usage is not None and (counted := read_usage(usage)):
            tokens, cost = counted
            self._counted = True
            self._cost = cost if cost is not None else self._cost
            yield Counted(tokens, self._cost)
        elif usage is not None and (half := read_input(usage)):
            yield Counted(half, final=False)

    def _read_choice(self, choice: Body) -> Iterator[Event]:
        yield from self._read_delta(as_object(choice.get("delta")))
        scores = as_object(choice.get("logprobs")).get("content", NULL)
        if as_array(scores):
            yield Scored(scores)
        native = as_text(choice.get("finish_reason"))
        if native:
            yield from self._finish(native, choice)

    # --- what is said ---

    def _read_delta(self, delta: Body) -> Iterator[Event]:
        yield from self._reasoning(delta)
        yield from self._content(delta.get("content", NULL))
        for entry in as_array(delta.get("annotations")):
            yield from self._annotation(as_object(entry))
        refusal = string_or_none(delta, "refusal")
        if refusal is not None:
            yield from self._grow(Refusal(text=_EMPTY), refusal)
        for image in as_array(delta.get("images")):
            yield from self._image(image)
        self._sound.add(as_object(delta.get("audio")))
        calls = [members(call) for call in as_array(delta.get("tool_calls"))]
        older = delta.get("function_call", NULL)
        if not is_null(older):  # the way of calling before there were several
            calls.append({"function": older})
        for position, call in enumerate(calls):
            for event in self._calls.add(call, position, len(calls)):
                if isinstance(event, PartBegan):
                    yield from self._close()
                yield event

    def _content(self, content: Raw) -> Iterator[Event]:
        """A text, or the parts that some providers write in its place."""
        if is_string(content):
            yield from self._grow(Text(text=_EMPTY), content)
            return
        for entry in as_array(content) if is_array(content) else ():
            part = as_object(entry)
            kind = as_text(part.get("type")) or "content"
            if kind == "thinking":
                yield from self._thinking(part.get("thinking"))
                continue
            try:
                said = read_part(entry, kind)
            except FieldError:
                yield Unsaid(kind)
                continue
            match said:
                case Text(text=text):
                    yield from self._grow(Text(text=_EMPTY), text)
                case Refusal(text=text):
                    yield from self._grow(Refusal(text=_EMPTY), text)
                case Media():
                    yield from self._whole(said)

    def _grow(self, head: Text | Refusal, text: Raw) -> Iterator[Event]:
        if text == _EMPTY:
            return
        words = self._open
        if words is None or type(words.head) is not type(head):
            words = yield from self._begin(head, None)
        yield Grew(words.number, text)

    def _begin(self, head: Text | Refusal | Reasoning, detail: Detail | None) -> Generator[Event, None, _Open]:
        yield from self._close()
        words = self._open = _Open(self._next_part(), head, detail)
        yield PartBegan(words.number, head)
        if isinstance(head, Text):
            for citation in self._citations:
                yield Cited(words.number, citation)
            self._citations = []
        return words

    def _close(self) -> Iterator[Event]:
        if self._open is not None:
            yield PartEnded(self._open.number)
            self._open = None

    def _next_part(self) -> int:
        self._parts += 1
        return self._parts - 1

    def _whole(self, medium: Media) -> Iterator[Event]:
        yield from self._close()
        number = self._next_part()
        yield PartBegan(number, structs.replace(medium, path=""))
        yield PartEnded(number)

    def _image(self, image: Raw) -> Iterator[Event]:
        try:
            yield from self._whole(read_image(image, "images"))
        except FieldError:
            yield Unsaid("images")

    def _annotation(self, annotation: Body) -> Iterator[Event]:
        citation = read_citation(annotation)
        if citation is None:
            kind = as_text(annotation.get("type"))
            yield Unsaid(f"annotations.{kind}" if kind else "annotations")
        elif self._open is not None and isinstance(self._open.head, Text):
            yield Cited(self._open.number, citation)
        else:
            self._citations.append(citation)

    # --- what is thought ---

    def _reasoning(self, delta: Body) -> Iterator[Event]:
        """Reasoning from its details, and from the plain text where none of them can be read."""
        entries = [as_object(entry) for entry in as_array(delta.get("reasoning_details"))]
        details = [(told, read_detail(told)) for told in entries]
        text = plain_reasoning(delta)
        if text is not None and all(detail is None or detail.step.text in (None, _EMPTY) for _, detail in details):
            yield from self._thinking(text)
        for position, (told, detail) in enumerate(details):
            if detail is None:
                yield Unsaid(as_text(told.get("type")) or "reasoning_details")
            else:
                # Details without a number are steps of their own in one list, and pieces of one step over several.
                yield from self._think(detail, unnumbered=position == 0)

    def _thinking(self, text: Raw | None) -> Iterator[Event]:
        """Reasoning that is nothing but text: a string, or a list of parts."""
        said = read_text(text)
        if said != _EMPTY:
            yield from self._think(Detail(Reasoning(kind="text", text=said, maker="chat"), None), unnumbered=True)

    def _think(self, detail: Detail, *, unnumbered: bool) -> Iterator[Event]:
        step = detail.step
        text = None if step.text == _EMPTY else step.text
        if text is None and step.seal is None:
            return
        words = self._open
        if words is None or words.detail is None or not detail.continues(words.detail, unnumbered=unnumbered):
            words = yield from self._begin(structs.replace(step, text=None, seal=None), detail)
        words.detail = detail
        if text is not None:
            yield Grew(words.number, text)
        if step.seal is not None:
            yield Sealed(words.number, step.seal)

    # --- the end ---

    def _finish(self, native: str, choice: Body) -> Iterator[Event]:
        reason = normal_finish_reason(native)
        if reason == "error":
            raise StreamFailedError(reported_in(choice) or Reported())
        yield from self._end_parts()
        self._finished = True
        if reason == "stop" and self._calls:  # some say so whatever the answer is
            reason = "tool_calls"
        yield Finished(Finish(reason=reason, native=as_text(choice.get("native_finish_reason")) or native))

    def _end(self) -> Iterator[Event]:
        """What is left to say when the stream ends. An answer that never began has no end."""
        if self._finished or not (self._parts or self._sound):
            return
        yield from self._end_parts()
        self._finished = True
        reason = "tool_calls" if self._calls else "stop"
        yield Finished(Finish(reason=reason, native=reason))

    def _end_parts(self) -> Iterator[Event]:
        yield from self._close()
        yield from self._calls.end()
        medium = self._sound.whole()
        if medium is not None:
            yield from self._whole(medium)
        if self._citations:
            yield Unsaid("annotations.url_citation")
