"""An answer on its way from a dialect to a skin: an edit within one protocol, a translation between two."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Raw, structs

from setpoint.canonical.events import (
    Began,
    Counted,
    Finished,
    Grew,
    PartBegan,
    PartEnded,
    Unsaid,
)
from setpoint.canonical.parts import Media, Part, Reasoning, Refusal, Text, ToolCall, ToolResult
from setpoint.protocols.answer import Outcome, StreamFailedError
from setpoint.wire.body import join_strings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from setpoint.canonical.events import Event
    from setpoint.canonical.parts import MediaKind
    from setpoint.canonical.result import Finish, Result
    from setpoint.errors import SetpointError
    from setpoint.protocols.answer import Bill, Opening
    from setpoint.protocols.base import EditedResult, EditedStream, Room, StreamReader, StreamWriter
    from setpoint.protocols.names import ToolNames
    from setpoint.wire.body import Body
    from setpoint.wire.sse import Frame

_EMPTY = Raw(b'""')
_QUOTES = 2
# How many kinds of what cannot be said are named of one answer, and what is said of those beyond.
_MOST_UNSAID = 100
_MORE_UNSAID = "and more"
# Heads of parts that say nothing before they grow.
_SAID_LATER = (Text, Refusal, Reasoning)


def read_answer(body: Body, *, skin: Room, dialect: Room, names: ToolNames) -> EditedResult:
    """A whole answer for a client.

    Raises: `ProviderError` when it is not a complete one, `StreamFailedError` when it says that it failed.
    """
    if skin.name == dialect.name:
        return skin.edit_result(body)
    return _TranslatedResult(dialect.read_result(body), skin, names)


def read_stream(opening: Opening, *, skin: Room, dialect: Room, names: ToolNames) -> EditedStream:
    """A streamed answer for a client."""
    if skin.name == dialect.name:
        return skin.edit_stream(opening)
    return _TranslatedStream(dialect.reader(), skin.writer(opening), names, skin.SHOWN)


class _TranslatedResult:
    """A whole answer between two protocols."""

    def __init__(self, result: Result, skin: Room, names: ToolNames) -> None:
        parts = tuple(names.restored(part) if isinstance(part, ToolCall) else part for part in result.parts)
        self._result = structs.replace(result, parts=parts)
        self._skin = skin
        hidden = (part.kind for part in parts if isinstance(part, Media) and part.kind not in skin.SHOWN)
        self.outcome = Outcome(
            upstream_id=result.upstream_id,
            service_tier=result.service_tier,
            usage=result.usage,
            provider_cost=result.provider_cost,
            output_bytes=sum(_said_bytes(part) for part in result.parts),
            unsaid=_named((*result.unsaid, *hidden)),
        )
        if result.finish is not None:
            _note_finish(self.outcome, result.finish)

    def write(self, opening: Opening, bill: Bill, metadata: Raw | None) -> bytes:
        """The answer for the client, as JSON."""
        return self._skin.write_result(self._result, opening, bill, metadata)


class _TranslatedStream:
    """A stream between two protocols."""

    def __init__(
        self, reader: StreamReader, writer: StreamWriter, names: ToolNames, shown: frozenset[MediaKind]
    ) -> None:
        self._shown = shown
        self._reader = reader
        self._writer = writer
        self._restoring = _Restoring(names) if names.tools else None
        self.outcome = Outcome()
        self.meaningful = False

    @property
    def terminal(self) -> bool:
        """Whether the upstream has said that its answer is complete."""
        return self._reader.terminal

    @property
    def done(self) -> bool:
        """Whether nothing that still counts can come."""
        return self._reader.done

    @property
    def done_seen(self) -> bool:
        """Whether only a late usage is of interest."""
        return self._reader.done_seen

    @property
    def open_parts(self) -> int:
        """How many parts one frame may end all together."""
        return self._writer.open_parts

    def read(self, frame: Frame) -> bytes:
        """What the client gets for this frame. Raises: `StreamFailedError`, `ProviderError`."""
        written: list[bytes] = []
        try:
            events = self._reader.read(frame)
        except StreamFailedError as failed:
            if failed.counted is not None:
                self._note(failed.counted)
                self._writer.write(failed.counted)
            raise
        for event in events:
            self._note(event)
            told = self._restoring.restored(event) if self._restoring else (event,)
            written += map(self._writer.write, told)
        return b"".join(written)

    def end(self, bill: Bill, metadata: Raw | None) -> bytes:
        """The last events of a complete answer."""
        return self._writer.end(bill, metadata)

    def fail(self, error: SetpointError, metadata: Raw | None) -> bytes:
        """The last events of a broken one."""
        return self._writer.fail(error, metadata)

    def _note(self, event: Event) -> None:
        """Keep what the record and the books want to know of the answer."""
        outcome = self.outcome
        match event:
            case Grew(text=text):
                if text != _EMPTY:
                    self.meaningful = True
                    outcome.output_bytes += len(memoryview(text)) - _QUOTES
            case PartBegan(head=head):
                if not isinstance(head, _SAID_LATER):
                    self.meaningful = True
                    outcome.output_bytes += _said_bytes(head)
                if isinstance(head, Media) and head.kind not in self._shown:
                    self._leave_out(head.kind)
            case Counted(usage, provider_cost, final):
                if final:
                    outcome.usage = usage
                    outcome.provider_cost = provider_cost if provider_cost is not None else outcome.provider_cost
                else:
                    outcome.partial = usage
            case Began(upstream_id, service_tier):
                outcome.upstream_id = outcome.upstream_id or upstream_id
                outcome.service_tier = service_tier or outcome.service_tier
            case Finished(finish):
                self.meaningful = True
                _note_finish(outcome, finish)
            case Unsaid(name):
                self._leave_out(name)
            case _:
                pass

    def _leave_out(self, name: str) -> None:
        unsaid = self.outcome.unsaid
        if len(unsaid) <= _MOST_UNSAID and name not in unsaid:
            self.outcome.unsaid = _named((*unsaid, name))


class _Restoring:
    """The calls of a stream under the client's own names. What is no function there waits until it is whole."""

    def __init__(self, names: ToolNames) -> None:
        self._names = names
        self._waiting: dict[int, tuple[ToolCall, list[Raw]]] = {}

    def restored(self, event: Event) -> Iterator[Event]:
        """What the client is told instead of this event."""
        match event:
            case PartBegan(part, ToolCall() as call):
                if self._names.is_whole_only(call):
                    self._waiting[part] = (call, [])
                else:
                    yield PartBegan(part, self._names.restored(call))
            case Grew(part, text) if part in self._waiting:
                self._waiting[part][1].append(text)
            case PartEnded(part) if part in self._waiting:
                call, pieces = self._waiting.pop(part)
                whole = structs.replace(call, arguments=join_strings([call.arguments, *pieces]))
                restored = self._names.restored(whole)
                yield PartBegan(part, structs.replace(restored, arguments=_EMPTY))
                yield Grew(part, restored.arguments)
                yield event
            case _:
                yield event


def _note_finish(outcome: Outcome, finish: Finish) -> None:
    outcome.finish_reason = finish.reason
    outcome.native_finish_reason = finish.native


def _named(unsaid: tuple[str, ...]) -> tuple[str, ...]:
    """What a skin has no word for, each kind once. An upstream may make up as many as it likes."""
    distinct = tuple(dict.fromkeys(unsaid))
    return distinct if len(distinct) <= _MOST_UNSAID else (*distinct[:_MOST_UNSAID], _MORE_UNSAID)


def _said_bytes(part: Part) -> int:
    """The bytes of what a part says, as far as they are counted as output."""
    match part:
        case Text(text=text) | Refusal(text=text):
            return len(memoryview(text)) - _QUOTES
        case Reasoning(text=text):
            return len(memoryview(text)) - _QUOTES if text is not None else 0
        case ToolCall(name=name, arguments=arguments):
            return len(name) + len(memoryview(arguments)) - _QUOTES
        case Media() | ToolResult():
            return 0
