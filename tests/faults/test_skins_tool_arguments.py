"""Arguments and texts that are cut anywhere, also where no character ends: every client puts the same together."""

from __future__ import annotations

import json
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest

from api.skins_support import SKINS
from faults.skins_faults_support import (
    SkinsFront,
    escaped_frame,
    heard,
    pairs,
    skins_front,
    skins_gateway,
    utf_16_pieces,
    written,
)
from simulator import messages, responses
from simulator.answers import USAGE, chunk, completion, usage_chunk
from simulator.script import body, sse

if TYPE_CHECKING:
    from setpoint.records import Dialect
    from support.http import Answer

gateway = skins_gateway
front = skins_front

DONE = b"data: [DONE]\n\n"

# Real characters beyond the first plane, escapes of such, and everything that a backslash can stand before.
ARGUMENTS = (
    r'{"city":"Zürich 🎉","escaped":"\u00e9\ud83c\udf89","path":"C:\\x\\","quoted":"\"}]",'
    r'"n":[1.50,12345678901234567890]}'
)
SIZES = (1, 2, 3, 7, 1_000)

FUNCTION: dict[Dialect, dict[str, Any]] = {
    "chat": {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}},
    "messages": {"name": "look", "input_schema": {"type": "object"}},
    "responses": {"type": "function", "name": "look", "parameters": {"type": "object"}},
}
CALLED: dict[Dialect, str] = {"chat": "tool_calls", "messages": "tool_use", "responses": "completed"}


def calling(dialect: Dialect, pieces: list[str]) -> list[bytes]:
    """The stream of an answer that is one call, its arguments in these pieces."""
    match dialect:
        case "chat":
            begun = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "look", "arguments": ""}}
            fragments = [begun, *({"index": 0, "function": {"arguments": piece}} for piece in pieces)]
            events: list[dict[str, Any]] = [chunk({"tool_calls": [it]}) for it in fragments]
            events += [chunk({}, "tool_calls"), usage_chunk(USAGE)]
            return [*map(escaped_frame, events), DONE]
        case "messages":
            start, ping, begun, *_, stop, last, end = messages.events(messages.message(messages.tool_use("look")))
            deltas = [
                {
                    "type": "content_block_delta",
                    "index": 0,
                    "delta": {"type": "input_json_delta", "partial_json": piece},
                }
                for piece in pieces
            ]
            return [*map(escaped_frame, (start, ping, begun, *deltas, stop, last, end))]
        case "responses":
            call = responses.function_call("look", ARGUMENTS)
            created, progress, added, *_, done, item, last = responses.events(responses.response(call))
            delta = {"type": "response.function_call_arguments.delta", "item_id": call["id"], "output_index": 0}
            deltas = [{**delta, "delta": piece} for piece in pieces]
            numbered = responses.numbered([created, progress, added, *deltas, done, item, last])
            return [*map(escaped_frame, numbered)]


@pairs
def test_arguments_are_whole_however_they_were_cut(front: SkinsFront, skin: Dialect, dialect: Dialect) -> None:
    for size in SIZES:
        front.simulator.script(sse(calling(dialect, utf_16_pieces(ARGUMENTS, size))))
        answer = front.post(skin, f"at/{dialect}", stream=True, tools=[FUNCTION[skin]])
        told = heard(skin, answer)
        assert told.calls == [("look", ARGUMENTS)], size
        assert told.finish == CALLED[skin]
        assert b"\xef\xbf\xbd" not in answer.body
        assert front.record(answer)["finish_reason"] == "tool_calls"


def saying(dialect: Dialect, pieces: list[str]) -> list[bytes]:
    """The stream of an answer that is a text in these pieces."""
    whole = "".join(pieces).encode("utf-16", "surrogatepass").decode("utf-16")
    match dialect:
        case "chat":
            events: list[dict[str, Any]] = [chunk({"content": piece}) for piece in pieces]
            return [*map(escaped_frame, [*events, chunk({}, "stop"), usage_chunk(USAGE)]), DONE]
        case "messages":
            start, ping, begun, *_, stop, last, end = messages.events(messages.message(messages.text(whole)))
            delta = {"type": "content_block_delta", "index": 0}
            deltas = [{**delta, "delta": {"type": "text_delta", "text": piece}} for piece in pieces]
            return [*map(escaped_frame, (start, ping, begun, *deltas, stop, last, end))]
        case "responses":
            said = responses.events(responses.response(responses.message(whole)))
            deltas = [event for event in said if event["type"].endswith(".delta")]
            cut = [{**deltas[0], "delta": piece} for piece in pieces]
            at = said.index(deltas[0])
            return [*map(escaped_frame, responses.numbered([*said[:at], *cut, *said[at + len(deltas) :]]))]


@pairs
def test_a_character_that_comes_in_two_halves_is_one(front: SkinsFront, skin: Dialect, dialect: Dialect) -> None:
    text = "Grüße 🎉🎉 日本"
    for size in SIZES:
        front.simulator.script(sse(saying(dialect, utf_16_pieces(text, size))))
        assert heard(skin, front.post(skin, f"at/{dialect}", stream=True)).text == text


# --- calls that are not as they should be --------------------------------------------------------------------

NO_JSON = ['{"city":"Zür', '{"a":1}}', "[1,2]", "look at this", "\\", '"', "{" * 300]


@pairs
def test_arguments_that_are_no_object_reach_a_streaming_client_as_they_are(
    front: SkinsFront, skin: Dialect, dialect: Dialect
) -> None:
    told_whole = json.dumps(ARGUMENTS).encode()
    for said in NO_JSON:
        frames = [frame.replace(told_whole, json.dumps(said).encode()) for frame in calling(dialect, [said])]
        front.simulator.script(sse(frames))
        answer = front.post(skin, f"at/{dialect}", stream=True, tools=[FUNCTION[skin]])
        assert heard(skin, answer).calls == [("look", said)]


@pytest.mark.parametrize("said", NO_JSON)
def test_arguments_that_are_no_object_reach_other_clients_as_the_text_that_they_are(
    front: SkinsFront, said: str
) -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": said}}
    for dialect, script in (
        ("chat", body(completion(None, USAGE, tool_calls=[call]))),
        ("responses", body(responses.response(responses.function_call("look", said)))),
    ):
        front.simulator.script(script)
        told = {it: whole_call(it, front.post(it, f"at/{dialect}", tools=[FUNCTION[it]])) for it in SKINS}
        assert told == {"chat": said, "responses": said, "messages": {"raw_arguments": said}}


def whole_call(skin: Dialect, answer: Answer) -> Any:
    """The arguments of the one call in an answer that is not streamed."""
    assert answer.status == 200, answer.body
    content = answer.json()
    match skin:
        case "chat":
            (call,) = content["choices"][0]["message"]["tool_calls"]
            return call["function"]["arguments"]
        case "messages":
            (block,) = content["content"]
            return block["input"]
        case "responses":
            (item,) = content["output"]
            return item["arguments"]


@pytest.mark.parametrize("skin", SKINS)
def test_calls_that_come_in_turns_are_told_as_the_skin_tells_them(front: SkinsFront, skin: Dialect) -> None:
    calls = [('{"city":', '"Zürich"}'), ('{"city":', '"Bern"}')]
    first = [
        {"index": at, "id": f"call_{at}", "type": "function", "function": {"name": "look", "arguments": begun}}
        for at, (begun, _) in enumerate(calls)
    ]
    more = [{"index": at, "function": {"arguments": rest}} for at, (_, rest) in enumerate(calls)]
    events = [chunk({"tool_calls": [it]}) for it in (*first, *reversed(more))]
    frames = written([*events, chunk({}, "tool_calls"), usage_chunk(USAGE)])
    front.simulator.script(sse([*frames, DONE]))
    answer = front.post(skin, "at/chat", stream=True, tools=[FUNCTION[skin]])
    assert heard(skin, answer).calls == [("look", "".join(pieces)) for pieces in calls]


@pytest.mark.parametrize("dialect", SKINS)
def test_free_text_that_went_as_arguments_comes_back_as_free_text(front: SkinsFront, dialect: Dialect) -> None:
    text = 'Grüße 🎉🎉 \\ "x"\n'
    for size, in_escapes in product(SIZES, (False, True)):
        if dialect == "responses":
            frames = written(responses.events(responses.response(responses.custom_tool_call("look", text))))
        else:
            said = json.dumps({"input": text}, ensure_ascii=in_escapes)
            frames = calling(dialect, utf_16_pieces(said, size))
        front.simulator.script(sse(frames))
        answer = front.post("responses", f"at/{dialect}", stream=True, tools=[{"type": "custom", "name": "look"}])
        assert heard("responses", answer).calls == [("look", text)], size
        assert b'"type":"custom_tool_call"' in answer.body
