"""Answers of a chat upstream in small: chunks and messages to be read, and what is made of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from setpoint.canonical.events import Began, Event
from setpoint.canonical.fold import Fold
from setpoint.canonical.parts import Part, Reasoning, Text, ToolCall
from setpoint.protocols.chat import read_result, reader
from setpoint.wire.body import raw, split
from setpoint.wire.sse import Frame

if TYPE_CHECKING:
    from setpoint.canonical.result import Result

STOP: dict[str, Any] = {"delta": {}, "finish_reason": "stop"}
LINK = {
    "type": "url_citation",
    "url_citation": {"url": "https://a.test", "title": "A", "start_index": 0, "end_index": 2},
}


def frame(content: object) -> Frame:
    """An event with this content."""
    return Frame(None, json.dumps(content).encode())


def told(*choices: dict[str, Any]) -> list[Event]:
    """The events of a stream of one chunk for each of these choices, but for how it begins."""
    stream = reader()
    events = [event for choice in choices for event in stream.read(frame({"choices": [choice]}))]
    assert events[:1] == [Began()]
    return events[1:]


def folded(events: list[Event]) -> Result:
    """The answer that these events make."""
    fold = Fold()
    for event in events:
        fold.add(event)
    return fold.result()


def parts(*deltas: dict[str, Any]) -> tuple[Part, ...]:
    """What a stream of these deltas makes."""
    return folded(told(*({"delta": delta} for delta in deltas), STOP)).parts


def text(content: str) -> Text:
    """A part that says this."""
    return Text(text=raw(content))


def call(id_: str, name: str, arguments: str = "", **more: Any) -> ToolCall:
    """A call of a tool."""
    return ToolCall(id=id_, name=name, arguments=raw(arguments), **more)


def thought(content: str | None, **more: Any) -> Reasoning:
    """A step of reasoning in plain text."""
    return Reasoning(kind="text", text=None if content is None else raw(content), maker="chat", **more)


def fragment(arguments: object = None, *, name: str | None = None, **more: Any) -> dict[str, Any]:
    """A piece of a call, with what is said of its function."""
    function = {"name": name, "arguments": arguments}
    return {"function": {key: said for key, said in function.items() if said is not None}, **more}


def whole(message: object, **more: Any) -> Result:
    """The answer that has this message, told whole."""
    return read_result(split(json.dumps({"choices": [{"message": message, **more}]}).encode()))
