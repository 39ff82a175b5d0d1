"""How tests ask the offline model in the messages and responses dialects, and what they read of its answers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

from setpoint.canonical.fold import Fold
from setpoint.canonical.parts import Text
from setpoint.protocols.registry import PROTOCOLS
from setpoint.providers.echo import EchoReply, reply
from setpoint.wire.body import as_text, split
from setpoint.wire.sse import FrameReader

if TYPE_CHECKING:
    from setpoint.canonical.result import Result
    from setpoint.records import Dialect

Other = Literal["messages", "responses"]
BOTH: list[Other] = ["messages", "responses"]
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"query": {"type": "string"}, "limit": {"type": "integer"}},
    "required": ["query", "limit"],
}
THINKING: dict[Other, dict[str, Any]] = {
    "messages": {"thinking": {"type": "enabled", "budget_tokens": 1024}},
    "responses": {"reasoning": {"effort": "low"}},
}
LIMIT: dict[Other, str] = {"messages": "max_tokens", "responses": "max_output_tokens"}


def conversation(dialect: Other, text: str = "Where is my parcel?") -> dict[str, Any]:
    if dialect == "messages":
        return {"messages": [{"role": "user", "content": text}]}
    return {"input": text}


def ask(dialect: Dialect, **members: Any) -> EchoReply:
    body = {"model": "echo", **members}
    if dialect != "chat" and not {"messages", "input"} & members.keys():
        body |= conversation(dialect)
    return reply(json.dumps(body).encode(), dialect, created=1_700_000_000)


def whole(answer: EchoReply) -> dict[str, Any]:
    assert (answer.status, answer.frames) == (200, ()), answer.body
    return json.loads(answer.body)


def streamed(dialect: Other, answer: EchoReply) -> Result:
    """What the protocol's own reader makes of the events."""
    assert answer.status == 200, answer.body
    reader, fold = PROTOCOLS[dialect].reader(), Fold()
    for frame in FrameReader().feed(b"".join(answer.frames)):
        for event in reader.read(frame):
            fold.add(event)
    assert reader.terminal
    return fold.result()


def said(dialect: Other, answer: EchoReply) -> str:
    """The text of a whole answer."""
    assert answer.status == 200, answer.body
    result = PROTOCOLS[dialect].read_result(split(answer.body))
    return "".join(as_text(part.text) or "" for part in result.parts if isinstance(part, Text))


def events(answer: EchoReply) -> list[dict[str, Any]]:
    """The data of the events, each under its own name."""
    frames = [frame for frame in FrameReader().feed(b"".join(answer.frames)) if frame.data != b"[DONE]"]
    told: list[dict[str, Any]] = [json.loads(frame.data) for frame in frames]
    assert [(frame.event or b"").decode() for frame in frames] == [one["type"] for one in told]
    return told
