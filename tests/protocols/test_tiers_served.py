"""The service tier that an upstream says it has served, in each skin's own place and word, whoever answers."""

from __future__ import annotations

import json
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from msgspec import Raw

from protocols.golden_support import frames_of
from setpoint.canonical.usage import Usage
from setpoint.protocols.answer import Bill, Opening, Stamp
from setpoint.protocols.names import ToolNames
from setpoint.protocols.registry import PROTOCOLS
from setpoint.protocols.translate import read_answer, read_stream
from setpoint.wire.body import split

if TYPE_CHECKING:
    from setpoint.records import Dialect

DIALECTS: tuple[Dialect, ...] = ("chat", "messages", "responses")
BILL = Bill(Usage(input_tokens=3, output_tokens=2), None, None)
TIERS = ("default", "flex", "priority", None)


def of(dialect: Dialect, tier: str | None) -> str | None:
    """A tier in the word of a protocol."""
    return "standard" if dialect == "messages" and tier == "default" else tier


def opening() -> Opening:
    numbers = count(1)
    return Opening(
        stamp=Stamp("gen-1", "acme/sage", "Acme", 1767225000),
        request={"stream": Raw(b"true")},
        new_id=lambda prefix: f"{prefix}{next(numbers)}",
    )


def whole(dialect: Dialect, tier: str | None) -> dict[str, Any]:
    """A whole answer of a dialect that says this tier."""
    said = of(dialect, tier)
    match dialect:
        case "chat":
            choice: Any = {"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}
            usage: Any = {"prompt_tokens": 3, "completion_tokens": 2}
            return {"id": "c", "created": 1, "model": "m", "choices": [choice], "usage": usage, "service_tier": said}
        case "messages":
            usage = {"input_tokens": 3, "output_tokens": 2, "service_tier": said}
            content: Any = [{"type": "text", "text": "Hi"}]
            head: Any = {"id": "m", "type": "message", "role": "assistant", "model": "m", "content": content}
            return {**head, "stop_reason": "end_turn", "stop_sequence": None, "usage": usage}
        case "responses":
            part: Any = {"type": "output_text", "text": "Hi", "annotations": []}
            item: Any = {
                "type": "message",
                "id": "msg_1",
                "role": "assistant",
                "status": "completed",
                "content": [part],
            }
            usage = {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}
            head = {"id": "r", "object": "response", "created_at": 1, "status": "completed", "model": "m"}
            return {**head, "output": [item], "usage": usage, "service_tier": said}


def stream(dialect: Dialect, tier: str | None) -> bytes:
    """The same as a stream."""
    answer = whole(dialect, tier)
    events: list[dict[str, Any]]
    match dialect:
        case "chat":
            delta: dict[str, Any] = {"index": 0, "delta": {"role": "assistant", "content": "Hi"}, "finish_reason": None}
            last: Any = {"index": 0, "delta": {}, "finish_reason": "stop"}
            events = [{**answer, "choices": [choice]} for choice in (delta, last)]
        case "messages":
            block: Any = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "Hi"}}
            delta = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}}
            start: Any = {"type": "message_start", "message": {**answer, "content": [], "stop_reason": None}}
            events = [start, block, {"type": "content_block_stop", "index": 0}, delta, {"type": "message_stop"}]
        case "responses":
            created: Any = {"type": "response.created", "response": {**answer, "status": "in_progress", "output": []}}
            events = [created, {"type": "response.completed", "response": answer}]
    lines = [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events if "type" in event]
    return "".join(lines or [f"data: {json.dumps(event)}\n\n" for event in events]).encode()


def tiers(skin: Dialect, told: dict[str, Any]) -> list[str | None]:
    """The tiers that an answer or an event says, in the place of the skin."""
    match skin:
        case "chat":
            return [told.get("service_tier")]
        case "messages":
            inner = told.get("message", told)
            return [inner["usage"]["service_tier"]] if "service_tier" in inner.get("usage", {}) else []
        case "responses":
            inner = told if "type" not in told else told.get("response", {})
            return [inner["service_tier"]] if "service_tier" in inner else []


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("skin", DIALECTS)
def test_a_whole_answer_says_the_tier_that_served_it(skin: Dialect, dialect: Dialect, tier: str | None) -> None:
    body = split(json.dumps(whole(dialect, tier)).encode())
    answer = read_answer(body, skin=PROTOCOLS[skin], dialect=PROTOCOLS[dialect], names=ToolNames())
    assert answer.outcome.service_tier == tier
    assert tiers(skin, json.loads(answer.write(opening(), BILL, None))) == [of(skin, tier)]


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("skin", DIALECTS)
def test_a_stream_says_the_tier_that_serves_it(skin: Dialect, dialect: Dialect, tier: str | None) -> None:
    edited = read_stream(opening(), skin=PROTOCOLS[skin], dialect=PROTOCOLS[dialect], names=ToolNames())
    out = b"".join(edited.read(frame) for frame in frames_of(stream(dialect, tier))) + edited.end(BILL, None)
    assert edited.outcome.service_tier == tier
    events = [json.loads(frame.data) for frame in frames_of(out) if frame.data != b"[DONE]"]
    said = [one for event in events for one in tiers(skin, event)]
    at = -1 if skin == "responses" else 0  # the last response is the one that counts
    assert (said[at], set(said) - {None}) == (of(skin, tier), {of(skin, tier)} - {None})


@pytest.mark.parametrize("skin", DIALECTS)
def test_a_message_that_was_made_fast_is_of_that_tier(skin: Dialect) -> None:
    answer = whole("messages", "default")
    answer["usage"]["speed"] = "fast"
    read = read_answer(
        split(json.dumps(answer).encode()), skin=PROTOCOLS[skin], dialect=PROTOCOLS["messages"], names=ToolNames()
    )
    edited = read_stream(opening(), skin=PROTOCOLS[skin], dialect=PROTOCOLS["messages"], names=ToolNames())
    start: Any = {"type": "message_start", "message": {**answer, "content": [], "stop_reason": None}}
    for frame in frames_of(f"event: message_start\ndata: {json.dumps(start)}\n\n".encode()):
        edited.read(frame)
    assert (read.outcome.service_tier, edited.outcome.service_tier) == ("fast", "fast")
