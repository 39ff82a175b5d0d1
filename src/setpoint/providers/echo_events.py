"""The offline model's answer in the messages or the responses dialect: typed steps, written by the protocol itself."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Literal, NamedTuple

from msgspec import Raw, Struct

from setpoint.canonical.events import Began, Event, Finished, Grew, PartBegan, PartEnded, Sealed
from setpoint.canonical.fold import Fold
from setpoint.canonical.parts import Reasoning, Text, ToolCall
from setpoint.canonical.result import Finish
from setpoint.canonical.usage import Usage
from setpoint.protocols.answer import Bill, Opening, Stamp
from setpoint.protocols.registry import PROTOCOLS
from setpoint.providers.echo_model import seal
from setpoint.wire.body import Body, raw

if TYPE_CHECKING:
    from collections.abc import Iterator

    from setpoint.providers.echo_model import Answer

_EMPTY = raw("")
_CALL_PREFIX = {"messages": "toolu_", "responses": "call_"}


class Head(Struct, frozen=True, kw_only=True):
    """What an answer begins with: its dialect, the request and its digest, the time and the model that it states."""

    dialect: Literal["messages", "responses"]
    request: Body
    digest: str
    created: int
    model: str

    def opening(self) -> Opening:
        """What the protocol must know to write an answer. Its ids follow from the request, one after the other."""
        given = 0

        def new_id(prefix: str) -> str:
            nonlocal given
            given += 1
            return prefix + hashlib.sha256(f"{self.digest}:{given}".encode()).hexdigest()[:24]

        stamp = Stamp(f"echo-{self.digest[:24]}", self.model, "Setpoint", self.created)
        return Opening(stamp=stamp, request=self.request, new_id=new_id)


def whole(answer: Answer, head: Head) -> bytes:
    """The answer as one JSON object."""
    opening, fold = head.opening(), Fold()
    for event in _events(answer, head, opening):
        fold.add(event)
    return PROTOCOLS[head.dialect].write_result(fold.result(), opening, _bill(answer), None)


def frames(answer: Answer, head: Head) -> tuple[bytes, ...]:
    """The answer as events, each of which can be sent by itself."""
    opening = head.opening()
    writer = PROTOCOLS[head.dialect].writer(opening)
    told = [writer.write(event) for event in _events(answer, head, opening)]
    return tuple(filter(None, (*told, writer.end(_bill(answer), None))))


def _events(answer: Answer, head: Head, opening: Opening) -> Iterator[Event]:
    """The steps of the answer, a piece at a time."""
    yield Began()
    for number, part in enumerate(_parts(answer, head, opening)):
        yield PartBegan(number, part.head)
        for piece in part.pieces:
            yield Grew(number, raw(piece))
        if part.seal is not None:
            yield Sealed(number, part.seal)
        yield PartEnded(number)
    stop = None if answer.stop is None else raw(answer.stop)
    yield Finished(Finish(reason=answer.finish, native=answer.finish, stop_sequence=stop))


class _Part(NamedTuple):
    """A part as it begins, the pieces that it grows by, and the opaque value that it is sealed with."""

    head: Reasoning | Text | ToolCall
    pieces: tuple[str, ...]
    seal: Raw | None = None


def _parts(answer: Answer, head: Head, opening: Opening) -> list[_Part]:
    parts = [] if answer.thought is None else _reasoning(answer, answer.thought, head, opening)
    if answer.called is not None:
        tool, call_id = answer.called, opening.new_id(_CALL_PREFIX[head.dialect])
        call = ToolCall(id=call_id, name=tool.name, arguments=_EMPTY, kind=tool.kind, namespace=tool.namespace)
        parts.append(_Part(call, answer.pieces))
    else:
        parts.append(_Part(Text(text=_EMPTY), answer.pieces))
    return parts


def _reasoning(answer: Answer, thought: tuple[str, ...], head: Head, opening: Opening) -> list[_Part]:
    """One block of messages, or what makes one item of responses."""
    told = () if answer.hidden else thought
    sealed = raw(seal(head.digest, "".join(told)))
    if head.dialect == "messages":
        return [_Part(Reasoning(kind="text", maker="messages"), told, sealed)]
    id_ = opening.new_id("rs_")
    summary = [_Part(Reasoning(kind="summary", maker="responses", id=id_), told)] if told else []
    return [*summary, _Part(Reasoning(kind="encrypted", maker="responses", id=id_), (), sealed)]


def _bill(answer: Answer) -> Bill:
    usage = Usage(
        input_tokens=answer.input_tokens,
        output_tokens=answer.output_tokens,
        reasoning_tokens=answer.reasoning_tokens,
    )
    return Bill(usage, None, None)
