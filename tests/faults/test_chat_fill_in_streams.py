"""What clients need in chunks and upstreams leave out or tell twice: each chunk is whole, and says its part once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from faults.faults_support import Front, chunks, front_of_gateway, generation_id, plain_gateway, said
from simulator.answers import chunk
from simulator.script import sse, stream

if TYPE_CHECKING:
    from simulator.steps import Script
    from support.http import Answer

USAGE = {"prompt_tokens": 10, "completion_tokens": 4}


gateway = plain_gateway
front = front_of_gateway


def streamed(front: Front, *contents: dict[str, Any], done: bool = True) -> Answer:
    """The answer when the upstream streams these chunks."""
    events = [f"data: {json.dumps(content)}" for content in contents]
    front.simulator.script(sse([*events, *(["data: [DONE]"] if done else [])]))
    return front.stream()


def _delta(content: str, finish: str | None = None) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {"content": content}, "finish_reason": finish}]}


def _calls(answer: Answer) -> list[Any]:
    choices = [choice for it in chunks(answer) for choice in it["choices"]]
    return [call for choice in choices for call in choice["delta"].get("tool_calls", [])]


def test_the_least_that_an_upstream_can_stream_becomes_whole_chunks(front: Front) -> None:
    answer = streamed(front, {"choices": [{"delta": {"content": "Hi"}}]}, {"choices": [{"finish_reason": "stop"}]})
    first, finish, last = chunks(answer)
    head = {
        "id": generation_id(answer),
        "object": "chat.completion.chunk",
        "created": first["created"],
        "model": "solo/alpha",
        "provider": "Alpha",
    }
    assert isinstance(first["created"], int)
    assert first == {
        **head,
        "choices": [{"index": 0, "delta": {"role": "assistant", "content": "Hi"}, "finish_reason": None}],
    }
    finished: dict[str, Any] = {"index": 0, "delta": {}, "finish_reason": "stop", "native_finish_reason": "stop"}
    assert finish == {**head, "choices": [finished]}
    assert {name: it for name, it in last.items() if name != "usage"} == {**head, "choices": []}


def test_every_chunk_tells_of_the_same_answer(front: Front) -> None:
    contents: list[dict[str, Any]] = [
        {"id": "a", "created": 1, "model": "m1", "provider": "p", "object": "o", **_delta("Once")},
        {"id": "b", "created": 2, "model": "m2", "provider": "q", **_delta(" upon")},
        {"id": "", "created": None, "model": None, **_delta(" a time", "stop")},
        {"id": "c", "created": 3, "choices": [], "usage": USAGE},
    ]
    answer = streamed(front, *contents)
    told = {(it["id"], it["created"], it["model"], it["provider"], it["object"]) for it in chunks(answer)}
    assert told == {(generation_id(answer), 1, "solo/alpha", "Alpha", "chat.completion.chunk")}
    assert said(answer) == "Once upon a time"
    assert front.record(answer)["upstream_id"] == "a"


def test_events_have_no_names_and_end_with_done_once(front: Front) -> None:
    front.simulator.script(
        sse(["event: chunk\ndata: " + json.dumps(_delta("Hi", "stop")), "data: [DONE]", "data: [DONE]"])
    )
    answer = front.stream()
    assert {frame.event for frame in answer.frames()} == {None}
    assert [frame.data for frame in answer.frames()].count("[DONE]") == 1
    assert answer.frames()[-1].data == "[DONE]"


@pytest.mark.parametrize(
    "roles", [["assistant"] * 3, [None, None, None], ["", "user", "assistant"], ["assistant", None, ""]]
)
def test_the_role_is_told_once_in_the_first_delta(front: Front, roles: list[str | None]) -> None:
    contents = [chunk({"content": "x"} if role is None else {"role": role, "content": "x"}) for role in roles]
    answer = streamed(front, *contents, chunk({"role": "assistant"}, "stop"))
    deltas = [choice["delta"] for it in chunks(answer) for choice in it["choices"]]
    assert [delta.get("role") for delta in deltas] == ["assistant", None, None, None]
    assert not [delta for delta in deltas[1:] if "role" in delta]


def test_a_finish_reason_is_null_until_the_last_chunk_of_its_choice(front: Front) -> None:
    contents = [_delta("a"), {"choices": [{"index": 0, "delta": {"content": "b"}, "finish_reason": ""}]}]
    answer = streamed(front, *contents, _delta("c", "eos_token"))
    choices = [choice for it in chunks(answer) for choice in it["choices"]]
    assert [choice["finish_reason"] for choice in choices] == [None, None, "stop"]
    assert ["native_finish_reason" in choice for choice in choices] == [False, False, True]
    assert choices[-1]["native_finish_reason"] == "eos_token"
    assert front.record(answer)["native_finish_reason"] == "eos_token"


def test_nulls_that_chunks_may_not_have_are_left_out(front: Front) -> None:
    contents = {**chunk({"content": "Hi"}, "stop"), "system_fingerprint": None, "usage": None}
    answer = streamed(front, contents)
    for it in chunks(answer):
        assert "system_fingerprint" not in it
        assert it.get("usage", {}) is not None
        assert not [choice for choice in it["choices"] if "logprobs" in choice]


def test_what_chunks_may_have_is_passed_on(front: Front) -> None:
    logprobs: dict[str, Any] = {
        "content": [{"token": "Hi", "logprob": -0.5, "bytes": None, "top_logprobs": []}],
        "refusal": None,
    }
    choice: dict[str, Any] = {
        "index": 0,
        "delta": {"content": "Hi", "reasoning": "Hm"},
        "logprobs": logprobs,
        "finish_reason": "stop",
    }
    told = chunks(streamed(front, {"choices": [choice], "system_fingerprint": "fp_1", "service_tier": "flex"}))[0]
    assert (told["system_fingerprint"], told["service_tier"]) == ("fp_1", "flex")
    assert told["choices"][0]["logprobs"] == logprobs
    assert told["choices"][0]["delta"]["reasoning"] == "Hm"


FRAGMENTS: dict[str, list[dict[str, Any]]] = {
    "as-documented": [
        {"index": 0, "id": "call_1", "type": "function", "function": {"name": "f", "arguments": ""}},
        {"index": 0, "function": {"arguments": '{"a"'}},
        {"index": 0, "function": {"arguments": ":1}"}},
    ],
    "repeated": [
        {"index": 0, "id": "call_1", "type": "function", "function": {"name": "f", "arguments": ""}},
        {"index": 0, "id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"a"'}},
        {"index": 0, "id": None, "type": None, "function": {"name": None, "arguments": ":1}"}},
    ],
    "no-type-no-index": [
        {"id": "call_1", "function": {"name": "f", "arguments": '{"a"'}},
        {"function": {"arguments": ":1}"}},
    ],
    "no-arguments-at-first": [
        {"index": 0, "id": "call_1", "function": {"name": "f"}},
        {"index": 0, "function": {"arguments": '{"a":1}'}},
    ],
    "all-in-one": [{"id": "call_1", "function": {"name": "f", "arguments": {"a": 1}}}],
    "no-id": [
        {"index": 0, "function": {"name": "f", "arguments": '{"a"'}},
        {"index": 0, "function": {"arguments": ":1}"}},
    ],
}


@pytest.mark.parametrize("fragments", FRAGMENTS.values(), ids=FRAGMENTS)
def test_a_call_tells_who_it_is_in_its_first_fragment_and_only_there(
    front: Front, fragments: list[dict[str, Any]]
) -> None:
    front.simulator.script(stream([{"tool_calls": [fragment]} for fragment in fragments], finish="tool_calls"))
    answer = front.stream()
    first, *more = _calls(answer)
    assert (first["index"], first["type"], first["function"]["name"]) == (0, "function", "f")
    assert isinstance(first["function"]["arguments"], str)
    assert first["id"]
    if "id" in fragments[0]:
        assert first["id"] == "call_1"
    for call in more:
        assert call.keys() == {"index", "function"}
        assert call["function"].keys() == {"arguments"}
    arguments = "".join(call["function"]["arguments"] for call in (first, *more))
    assert json.loads(arguments) == {"a": 1}
    assert front.record(answer)["finish_reason"] == "tool_calls"


def test_calls_side_by_side_stay_apart(front: Front) -> None:
    fragments = [
        [{"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": ""}}],
        [{"index": 1, "type": "function", "function": {"name": "g", "arguments": ""}}],
        [{"index": 0, "function": {"arguments": "{}"}}, {"index": 1, "function": {"arguments": "{}"}}],
    ]
    front.simulator.script(stream([{"tool_calls": calls} for calls in fragments], finish="tool_calls"))
    calls = _calls(front.stream())
    assert [call["index"] for call in calls] == [0, 1, 0, 1]
    assert calls[0]["id"] == "a"
    assert calls[1]["id"] not in ("", "a")


def _interleaved(order: list[int]) -> Script:
    texts = {0: ["Once", " upon"], 1: ["Two", " times"]}
    contents: list[dict[str, Any]] = []
    for index in order:
        piece = texts[index].pop(0)
        finish = None if texts[index] else "stop"
        contents.append({"choices": [{"index": index, "delta": {"content": piece}, "finish_reason": finish}]})
    return sse([*(f"data: {json.dumps(it)}" for it in contents), "data: [DONE]"])


@pytest.mark.parametrize("order", [[0, 1, 0, 1], [0, 0, 1, 1], [1, 0, 0, 1]])
def test_several_choices_are_streamed_to_their_ends(front: Front, order: list[int]) -> None:
    front.simulator.script(_interleaved(order))
    answer = front.stream(n=2)
    assert (said(answer, 0), said(answer, 1)) == ("Once upon", "Two times")
    for index in (0, 1):
        own = [choice for it in chunks(answer) for choice in it["choices"] if choice["index"] == index]
        assert [choice["finish_reason"] for choice in own] == [None, "stop"]
        assert [choice["delta"].get("role") for choice in own] == ["assistant", None]
