"""A stream of the messages protocol, read: frame by frame into its own events, and those into canonical ones.

Its blocks are sequential, but nothing here relies on it: a delta belongs to the block whose index it names.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from msgspec import Raw

from setpoint.canonical.events import Began, Cited, Counted, Finished, Grew, PartBegan, PartEnded, Sealed, Unsaid
from setpoint.canonical.parts import Reasoning, Text, ToolCall
from setpoint.canonical.result import Finish
from setpoint.errors import ProviderError
from setpoint.protocols.answer import StreamFailedError
from setpoint.protocols.failures import Reported, reported_in
from setpoint.protocols.messages.result import FORMAT, finish_of, read_citation
from setpoint.protocols.messages.usage import COUNTED, read_usage, tier_in
from setpoint.protocols.names import arguments_text
from setpoint.wire.body import (
    NULL,
    Body,
    MalformedError,
    as_array,
    as_object,
    as_text,
    is_null,
    is_object,
    is_string,
    join,
    members,
    raw,
    split,
)

if TYPE_CHECKING:
    from setpoint.canonical.events import Event
    from setpoint.wire.sse import Frame

_EMPTY = Raw(b'""')
_NO_EVENT = (b"", b"[DONE]")  # an event without data is none, as the event stream format says
_KIND = re.compile(r"[A-Za-z0-9_.:-]{1,100}", re.ASCII)

# The kinds of nearly all events, by the bytes that nearly all upstreams write them in: these need no decoding.
_PLAIN_KINDS = {
    b'"%b"' % kind.encode(): kind
    for kind in ("content_block_delta", "content_block_start", "content_block_stop", "message_start", "ping")
}

# Kind of a delta to the member that grows, and the part that it belongs to.
_PIECES: dict[str, tuple[str, type[Text | Reasoning | ToolCall]]] = {
    "text_delta": ("text", Text),
    "thinking_delta": ("thinking", Reasoning),
    "input_json_delta": ("partial_json", ToolCall),
}


class Step(NamedTuple):
    """One event of a messages stream: its kind, its JSON, and its members."""

    kind: str
    data: bytes
    body: Body


def read_step(frame: Frame) -> Step | None:
    """The event in a frame, None when there is none: a stray `[DONE]`, or data that nothing names the kind of.

    A kind that only the frame's name tells is put into the data as well, where clients look for it.
    Raises: `StreamFailedError` for an error that the upstream reports, `MalformedError` for what is no JSON object.
    """
    data = frame.data
    if data in _NO_EVENT:
        return None
    body = split(data)
    said = body.get("type", NULL)
    plain = _PLAIN_KINDS.get(bytes(said))
    if plain is not None and "error" not in body and frame.event != b"error":
        return Step(plain, data, body)
    kind = as_text(said)
    if kind == "error" or frame.event == b"error" or not is_null(body.get("error", NULL)):
        raise StreamFailedError(reported_in(body) or Reported())
    if kind is None:
        kind = (frame.event or b"").decode("ascii", "replace")
        body = {**body, "type": raw(kind)}
        data = join(body)
    return Step(kind, data, body) if _KIND.fullmatch(kind) else None


def malformed() -> ProviderError:
    """The error that an event which cannot be read stands for."""
    return ProviderError("provider_unavailable", "the provider sent a malformed event")


class Tally:
    """The usage of one stream, which stands in two places: `message_start` and every `message_delta`.

    `counts` is all that was said, the latest word on each. `final` turns true with the first count of the output.
    """

    def __init__(self) -> None:
        self.counts: Body = {}
        self.final = False

    def add(self, usage: Raw | None, *, final: bool) -> Counted | None:
        """Take one more usage. What is known then, None when this one has nothing or cannot be read.

        `final`: it is that of a `message_delta`.
        """
        told = {name: count for name, count in as_object(usage).items() if not is_null(count)}
        # "The token counts shown in the usage field of the message_delta event are cumulative." (Messages streaming
        # reference, read 2026-11) So a later 0 of input is no count, but a key filled in.
        for name, count in told.items():
            if bytes(count) != b"0" or name not in self.counts or name == "output_tokens":
                self.counts[name] = count
        known = {name: self.counts[name] for name in COUNTED if name in self.counts} if told else {}
        counted = read_usage(Raw(join(known))) if known else None
        if counted is None or "input_tokens" not in self.counts:
            return None
        self.final = self.final or (final and "output_tokens" in told)
        return Counted(*counted, final=self.final)

    def add_late(self, frame: Frame) -> Counted | None:
        """Take the usage in a frame behind the end, where only one that is not yet known counts. Raises nothing."""
        if self.final:
            return None
        try:
            step = read_step(frame)
            return self.add(step.body.get("usage"), final=True) if step and step.kind == "message_delta" else None
        except (MalformedError, StreamFailedError):
            return None


class _Block:
    """A block that is open. `given` is a tool's input as it stood in the block's start, until there are pieces."""

    __slots__ = ("given", "head", "part")

    def __init__(self, part: int, head: Text | Reasoning | ToolCall) -> None:
        self.part = part
        self.head = head
        self.given: Raw | None = None


class MessagesReader:
    """One stream on its way into events. `terminal` turns true with `message_stop`."""

    def __init__(self) -> None:
        self.terminal = False
        self._begun = False
        self._parts = 0
        self._calls = False
        # By raw index; None is a block that there is no canonical word for.
        self._open: dict[bytes, _Block | None] = {}
        self._ending: Body = {}
        self._tally = Tally()

    @property
    def done(self) -> bool:
        """Whether nothing that still counts can come: the answer is complete and its usage known."""
        return self.terminal and self._tally.final

    @property
    def done_seen(self) -> bool:
        """Whether only a late usage is of interest."""
        return self.terminal

    def read(self, frame: Frame) -> list[Event]:
        """The events of this frame.

        Raises: `StreamFailedError` for an error that the upstream reports, `ProviderError` for a malformed event.
        """
        if self.terminal:
            counted = self._tally.add_late(frame)
            return [counted] if counted else []
        try:
            step = read_step(frame)
            return self._events(step) if step is not None else []
        except MalformedError as error:
            raise malformed() from error

    def _events(self, step: Step) -> list[Event]:
        match step.kind:
            case "content_block_delta":
                return self._grow(_index(step.body), members(step.body.get("delta", NULL)))
            case "content_block_start":
                return self._begin(_index(step.body), members(step.body.get("content_block", NULL)))
            case "content_block_stop":
                return self._end(_index(step.body))
            case "message_start":
                return self._start(as_object(step.body.get("message")))
            case "message_delta":
                return self._finish(step.body)
            case "message_stop":
                return self._stop()
            case _:
                return []

    # --- the message ---

    def _start(self, message: Body) -> list[Event]:
        if self._begun:
            return []
        self._begun = True
        usage = message.get("usage")
        events: list[Event] = [Began(as_text(message.get("id")) or None, tier_in(as_object(usage)))]
        if counted := self._tally.add(usage, final=False):
            events.append(counted)
        return events

    def _finish(self, body: Body) -> list[Event]:
        said = {name: content for name, content in as_object(body.get("delta")).items() if not is_null(content)}
        self._ending |= said
        # Some upstreams count with a `message_delta` now and then: only one that says why closes the blocks.
        events = self._end_all() if "stop_reason" in said else []
        if counted := self._tally.add(body.get("usage"), final=True):
            events.append(counted)
        return events

    def _stop(self) -> list[Event]:
        self.terminal = True
        unnamed = Finish(reason="tool_calls" if self._calls else "stop", native="message_stop")
        return [*self._end_all(), Finished(finish_of(self._ending) or unnamed)]

    # --- its blocks ---

    def _begin(self, index: bytes, block: Body) -> list[Event]:
        events = self._end(index)
        kind = _kind(block)
        head = _head(kind, block)
        if head is None:
            self._open[index] = None
            return [*events, Unsaid(kind)]
        begun = self._add(index, head)
        events.append(PartBegan(begun.part, head))
        match head:
            case Text():
                events += _grown(begun, block.get("text", NULL))
                for citation in as_array(block.get("citations")):
                    events += _cited(begun, citation)
            case ToolCall():
                begun.given = block.get("input", NULL)
            case Reasoning():
                events += _grown(begun, block.get("thinking", NULL))
                events += _sealed(begun, block.get("data" if head.kind == "encrypted" else "signature", NULL))
        return events

    def _add(self, index: bytes, head: Text | Reasoning | ToolCall) -> _Block:
        block = self._open[index] = _Block(self._parts, head)
        self._parts += 1
        self._calls = self._calls or isinstance(head, ToolCall)
        return block

    def _grow(self, index: bytes, delta: Body) -> list[Event]:
        block = self._open.get(index)
        if block is None and index in self._open:
            return []
        kind = _kind(delta)
        if kind in _PIECES:
            member, grows = _PIECES[kind]
            if block is None or not isinstance(block.head, grows):
                return self._grow_unannounced(index, kind, delta.get(member, NULL))
            return _grown(block, delta.get(member, NULL))
        match kind, block:
            case "signature_delta", _Block(head=Reasoning()):
                return _sealed(block, delta.get("signature", NULL))
            case "citations_delta", _Block(head=Text()):
                return _cited(block, delta.get("citation", NULL))
            case _:
                return [Unsaid(kind)]

    def _grow_unannounced(self, index: bytes, kind: str, text: Raw) -> list[Event]:
        """What is said in no block, or one of another kind. A call cannot be guessed: it would have no name."""
        if text in (NULL, _EMPTY):
            return []
        events = self._end(index)
        head = _head(kind.removesuffix("_delta"), {})
        if head is None:
            raise MalformedError("arguments of no tool call")
        block = self._add(index, head)
        return [*events, PartBegan(block.part, head), *_grown(block, text)]

    def _end(self, index: bytes) -> list[Event]:
        block = self._open.pop(index, None)
        if block is None:
            return []
        events: list[Event] = []
        if isinstance(block.head, ToolCall) and block.given is not None:  # none of its input came in pieces
            given = block.given if is_object(block.given) else Raw(b"{}")
            events.append(Grew(block.part, arguments_text(given)))
        return [*events, PartEnded(block.part)]

    def _end_all(self) -> list[Event]:
        return [event for index in list(self._open) for event in self._end(index)]


def reader() -> MessagesReader:
    """The reader of one stream."""
    return MessagesReader()


def _index(body: Body) -> bytes:
    return bytes(body.get("index", NULL))


def _kind(content: Body) -> str:
    """The type of a block or a delta, `content` where it has none that could be told to anybody."""
    kind = as_text(content.get("type"))
    return kind if kind and _KIND.fullmatch(kind) else "content"


def _head(kind: str, block: Body) -> Text | Reasoning | ToolCall | None:
    """The part that a block of this kind begins, with no text of it yet; None where there is no word for it."""
    match kind:
        case "text":
            return Text(text=_EMPTY)
        case "thinking":
            return Reasoning(kind="text", maker="messages", format=FORMAT)
        case "redacted_thinking":
            return Reasoning(kind="encrypted", maker="messages", format=FORMAT)
        case "tool_use":
            return ToolCall(id=as_text(block.get("id")) or "", name=as_text(block.get("name")) or "", arguments=_EMPTY)
        case _:
            return None


def _grown(block: _Block, text: Raw) -> list[Event]:
    if not _says(text):
        return []
    block.given = None
    return [Grew(block.part, text)]


def _sealed(block: _Block, seal: Raw) -> list[Event]:
    return [Sealed(block.part, seal)] if _says(seal) else []


def _cited(block: _Block, data: Raw) -> list[Event]:
    if not is_object(data):
        return []
    citation = read_citation(data)
    events: list[Event] = [Cited(block.part, citation)]
    if citation.kind is not None:
        events.append(Unsaid(f"citations.{citation.kind}"))
    return events


def _says(text: Raw) -> bool:
    """Whether there is any text. Raises: `MalformedError` for what is none at all."""
    if is_string(text):
        return text != _EMPTY
    if is_null(text):
        return False
    raise MalformedError("not a text")
