"""The offline model: what it shows of a request, and how it ends, streams, calls and refuses."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from setpoint.providers.echo import MAX_LINE_CHARS, MAX_LINES, MAX_PIECES, EchoReply, reply

USER: list[dict[str, Any]] = [{"role": "user", "content": "Where is my parcel?"}]
SEARCH: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "search",
        "parameters": {
            "type": "object",
            "properties": {
                "query": {"type": "string"},
                "limit": {"type": "integer"},
                "unit": {"enum": ["km", "mile"]},
                "near": {"type": "object", "properties": {"lat": {"type": "number"}}, "required": ["lat"]},
                "note": {"type": "string"},
            },
            "required": ["query", "limit", "unit", "near"],
        },
    },
}
BOOK: dict[str, Any] = {"type": "function", "function": {"name": "book"}}


def ask(**members: Any) -> EchoReply:
    return reply(json.dumps({"model": "echo", "messages": USER, **members}).encode(), created=1_700_000_000)


def whole(answer: EchoReply) -> dict[str, Any]:
    assert answer.status == 200
    return json.loads(answer.body)


def text(answer: EchoReply) -> str:
    return whole(answer)["choices"][0]["message"]["content"]


def finish(answer: EchoReply) -> str:
    return whole(answer)["choices"][0]["finish_reason"]


def arguments(answer: EchoReply) -> Any:
    return json.loads(whole(answer)["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"])


def chunks(answer: EchoReply) -> list[dict[str, Any]]:
    assert answer.frames[-1] == b"data: [DONE]\n\n"
    for frame in answer.frames:
        assert frame.startswith(b"data: ")
        assert frame.find(b"\n") == len(frame) - 2
    return [json.loads(frame[6:]) for frame in answer.frames[:-1]]


def test_the_text_shows_what_reached_the_model() -> None:
    body = b"""{"model": "echo", "temperature": 0.20, "x_new": {"a":1.50}, "stop": ["END", "FIN"], "max_tokens": 90,
        "messages": [
            {"role": "system", "content": "You triage parcels."},
            {"role": "user", "content": "Hello"},
            {"role": "developer", "content": [{"type": "text", "text": "Be brief."}]},
            {"role": "assistant", "content": null},
            {"role": "user", "content": [{"type": "text", "text": "See this:"}, {"type": "image_url"}]},
            {"role": "tool", "tool_call_id": "call_1", "content": "on its way"}
        ],
        "tools": [{"type": "function", "function": {"name": "search"}}, {"type": "web_search"}]}"""
    assert text(reply(body, created=1)).split("\n") == [
        "system: You triage parcels.",
        "system: Be brief.",
        "max_tokens: 90",
        "stop: 2 sequences",
        "temperature: 0.20",
        'x_new: {"a":1.50}',
        "tools: search, web_search",
        "user: See this: [image_url]",
        "tool: on its way",
    ]


def test_a_whole_answer_is_a_chat_completion() -> None:
    answer = whole(ask())
    assert answer["object"] == "chat.completion"
    assert answer["created"] == 1_700_000_000
    assert answer["model"] == "echo"
    assert answer["choices"] == [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "user: Where is my parcel?", "refusal": None},
            "logprobs": None,
            "finish_reason": "stop",
        }
    ]
    # "Where is my parcel?" is 19 bytes: a quarter of them, rounded up; five words with "user:".
    assert answer["usage"] == {"prompt_tokens": 5, "completion_tokens": 5, "total_tokens": 10}


def test_the_same_body_gets_the_same_bytes_and_another_body_another_id() -> None:
    assert ask(temperature=1) == ask(temperature=1)
    assert ask(stream=True) == ask(stream=True)
    assert whole(ask(temperature=1))["id"] != whole(ask(temperature=2))["id"]


def test_a_stream_says_the_same_as_the_whole_answer() -> None:
    streamed = chunks(ask(stream=True, temperature=0.5))
    assert streamed[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    deltas = [chunk["choices"][0]["delta"].get("content", "") for chunk in streamed]
    assert "".join(deltas) == text(ask(temperature=0.5))
    assert deltas == ["", "temperature:", " 0.5", "\nuser:", " Where", " is", " my", " parcel?", ""]
    assert [chunk["choices"][0]["finish_reason"] for chunk in streamed] == [None] * (len(streamed) - 1) + ["stop"]
    assert {(chunk["id"], chunk["created"], chunk["object"]) for chunk in streamed} == {
        (streamed[0]["id"], 1_700_000_000, "chat.completion.chunk")
    }


def test_a_stream_reports_usage_only_when_asked() -> None:
    asked = chunks(ask(stream=True, stream_options={"include_usage": True}))
    assert asked[-1]["choices"] == []
    assert asked[-1]["usage"] == whole(ask())["usage"]
    assert [chunk for chunk in asked if "usage" in chunk] == asked[-1:]
    assert not [chunk for chunk in chunks(ask(stream=True)) if "usage" in chunk]


@pytest.mark.parametrize(
    ("name", "said"), [("max_tokens", "max_tokens: 2"), ("max_completion_tokens", "max_completion_tokens:")]
)
def test_an_output_limit_cuts_the_text_by_pieces(name: str, said: str) -> None:
    answer = ask(**{name: 2})
    assert text(answer) == said
    assert finish(answer) == "length"
    assert whole(answer)["usage"]["completion_tokens"] == 2
    streamed = chunks(ask(stream=True, **{name: 2}))
    assert streamed[-1]["choices"][0]["finish_reason"] == "length"


def test_an_answer_of_exactly_the_limit_is_not_cut() -> None:
    assert finish(ask(max_tokens=7)) == "stop"
    assert finish(ask(max_tokens=6)) == "length"


def test_the_smaller_of_two_limits_counts() -> None:
    assert whole(ask(max_tokens=3, max_completion_tokens=50))["usage"]["completion_tokens"] == 3


@pytest.mark.parametrize("stop", ["is my", ["nowhere", "parcel", "is my"]])
def test_the_text_ends_before_the_first_stop_sequence(stop: str | list[str]) -> None:
    answer = ask(stop=stop)
    assert text(answer).endswith("user: Where ")
    assert finish(answer) == "stop"


def test_no_stop_sequence_is_shown_as_it_came() -> None:
    assert text(ask(stop=None)).startswith("stop: null\n")
    assert text(ask(stop=[])).startswith("stop: []\n")


def test_a_stop_sequence_behind_the_limit_is_never_reached() -> None:
    assert finish(ask(stop="parcel", max_tokens=4)) == "length"


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "search"}}])
def test_a_required_or_named_tool_is_called(choice: str | dict[str, Any]) -> None:
    answer = ask(tools=[SEARCH, BOOK], tool_choice=choice)
    message = whole(answer)["choices"][0]["message"]
    assert message["content"] is None
    assert message["tool_calls"][0]["type"] == "function"
    assert message["tool_calls"][0]["function"]["name"] == "search"
    assert arguments(answer) == {"query": "string", "limit": 0, "unit": "km", "near": {"lat": 0}}
    assert finish(answer) == "tool_calls"


def test_the_named_tool_need_not_be_the_first() -> None:
    answer = ask(tools=[SEARCH, BOOK], tool_choice={"type": "function", "function": {"name": "book"}})
    assert arguments(answer) == {}


@pytest.mark.parametrize("choice", ["auto", "none", None])
def test_a_tool_that_is_not_required_is_not_called(choice: str | None) -> None:
    answer = ask(tools=[SEARCH], tool_choice=choice)
    assert "tools: search" in text(answer)
    assert finish(answer) == "stop"


@pytest.mark.parametrize("tool", [SEARCH, BOOK])
def test_a_streamed_call_is_named_first_and_its_arguments_come_in_fragments(tool: dict[str, Any]) -> None:
    streamed = chunks(ask(stream=True, tools=[tool], tool_choice="required"))
    calls = [call for chunk in streamed for call in chunk["choices"][0]["delta"].get("tool_calls", [])]
    assert calls[0]["id"].startswith("call_")
    assert calls[0]["type"] == "function"
    assert calls[0]["function"] == {"name": tool["function"]["name"], "arguments": ""}
    fragments = [call["function"] for call in calls[1:]]
    assert len(fragments) >= 2
    assert all(fragment.keys() == {"arguments"} for fragment in fragments)
    said = "".join(fragment["arguments"] for fragment in fragments)
    assert json.loads(said) == arguments(ask(tools=[tool], tool_choice="required"))
    assert streamed[-1]["choices"][0]["finish_reason"] == "tool_calls"


def test_an_output_limit_cuts_a_call_too() -> None:
    answer = ask(tools=[SEARCH], tool_choice="required", max_tokens=1)
    assert finish(answer) == "length"
    assert whole(answer)["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"] == '{"query"'


def test_json_object_makes_the_text_an_object() -> None:
    said = json.loads(text(ask(response_format={"type": "json_object"})))
    assert list(said) == ["text"]
    assert said["text"].endswith("\nuser: Where is my parcel?")


def test_json_schema_makes_the_text_the_least_instance() -> None:
    schema = {"type": "object", "properties": {"id": {"type": "integer"}, "x": {}}, "required": ["id"]}
    form = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    assert text(ask(response_format=form)) == '{"id":0}'


@pytest.mark.parametrize(
    ("schema", "least"),
    [
        ({"type": "string"}, "string"),
        ({"type": ["integer", "null"]}, 0),
        ({"type": "boolean"}, False),
        ({"type": "array", "items": {"type": "string"}}, []),
        ({"const": [1]}, [1]),
        ({"anyOf": [{"type": "boolean"}, {"type": "string"}]}, False),
        ({"$ref": "#/$defs/a~1b", "$defs": {"a/b": {"enum": ["x", "y"]}}}, "x"),
        ({"$ref": "https://example.com/schema"}, None),
        ({"$ref": "#"}, None),
        ({"properties": {"a": {}}, "required": ["a", "b"]}, {"a": None, "b": None}),
        ({}, None),
    ],
)
def test_the_least_instance_follows_the_schema(schema: dict[str, Any], least: Any) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    assert json.loads(text(ask(response_format=form))) == least


def test_an_enum_keeps_the_bytes_of_its_first_value() -> None:
    body = b'{"messages":[{"role":"user","content":"x"}],"response_format":{"type":"json_schema","json_schema":'
    body += b'{"name":"n","schema":{"enum":[1.50e400,2]}}}}'
    assert text(reply(body, created=1)) == "1.50e400"


def test_a_schema_that_contains_itself_many_times_over_ends() -> None:
    names = [f"n{at}" for at in range(200)]
    schema = {"type": "object", "properties": {name: {"$ref": "#"} for name in names}, "required": names}
    form = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    start = time.monotonic()
    least = text(ask(response_format=form))
    assert time.monotonic() - start < 10, "the work on a schema is bounded"
    assert json.loads(least).keys() == set(names)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b"", None),
        (b"[]", None),
        (b'{"messages":', None),
        (b'{"messages":[' + b"[" * 100_000, None),
        (b'{"messages":[{"role":"user","content":"\\x"}]}', None),
        (b"{}", "messages"),
        (b'{"messages":null}', "messages"),
        (b'{"messages":[]}', "messages"),
        (b'{"messages":["hi"]}', "messages[0].role"),
        (b'{"messages":[{"role":"user","content":7}]}', "messages[0].content"),
        (b'{"messages":[{"role":"user"}],"max_tokens":0}', "max_tokens"),
        (b'{"messages":[{"role":"user"}],"max_tokens":true}', "max_tokens"),
        (b'{"messages":[{"role":"user"}],"stop":[""]}', "stop"),
        (b'{"messages":[{"role":"user"}],"stop":7}', "stop"),
        (b'{"messages":[{"role":"user"}],"tool_choice":"required"}', "tool_choice"),
        (b'{"messages":[{"role":"user"}],"tool_choice":{"type":"function","function":{"name":"x"}}}', "tool_choice"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_what_it_cannot_read_is_a_400_in_the_form_of_the_provider(body: bytes, param: str | None, stream: bool) -> None:
    answer = reply(body.replace(b'{"messages"', b'{"stream":true,"messages"', 1) if stream else body, created=1)
    assert answer.status == 400
    assert answer.frames == ()
    error = json.loads(answer.body)["error"]
    assert error["type"] == "invalid_request_error"
    assert error["param"] == param
    assert error["message"]


def test_a_lone_surrogate_in_the_prompt_comes_back_as_it_was() -> None:
    body = b'{"stream":%s,"messages":[{"role":"user","content":"a \\ud83d b \\ud83d\\ude00"}]}'
    assert text(reply(body % b"false", created=1)) == "user: a \ud83d b \U0001f600"
    streamed = chunks(reply(body % b"true", created=1))
    assert "".join(c["choices"][0]["delta"].get("content", "") for c in streamed) == "user: a \ud83d b \U0001f600"


def test_halves_of_a_pair_in_two_parts_stay_two_halves() -> None:
    body = b'{"messages":[{"role":"user","content":[{"text":"\\ud83d"},{"text":"\\ude00"}]}]}'
    assert text(reply(body, created=1)) == "user: \ud83d \ude00"


def test_long_lines_and_many_lines_are_cut_and_say_so() -> None:
    long = text(ask(messages=[{"role": "user", "content": "x" * (MAX_LINE_CHARS + 5)}]))
    assert long == f"user: {'x' * MAX_LINE_CHARS} … (5 more characters)"
    many = text(ask(messages=[{"role": "system", "content": "s"}] * (MAX_LINES + 3) + USER)).split("\n")
    assert many == ["system: s"] * MAX_LINES + ["… (3 more)", "user: Where is my parcel?"]


def test_the_answer_to_a_huge_request_is_bounded() -> None:
    system = [{"role": "system", "content": "s " * 1_000}] * 5_000
    answer = ask(stream=True, messages=[*system, {"role": "user", "content": "word " * 2_000_000}])
    streamed = chunks(answer)
    assert len(streamed) == MAX_PIECES + 2
    assert streamed[-1]["choices"][0]["finish_reason"] == "length"


@given(st.text(), st.integers(1, 40), st.lists(st.text(min_size=1, max_size=3), max_size=3))
def test_stream_and_whole_answer_agree_and_never_pass_limit_or_stop(said: str, limit: int, stops: list[str]) -> None:
    members = {"messages": [{"role": "user", "content": said}], "max_tokens": limit, "stop": stops}
    answer = ask(**members)
    streamed = chunks(ask(**members, stream=True, stream_options={"include_usage": True}))
    pieces = [c["choices"][0]["delta"]["content"] for c in streamed[:-1] if c["choices"][0]["delta"]]
    assert "".join(pieces) == text(answer)
    assert len(pieces) - 1 == streamed[-1]["usage"]["completion_tokens"] <= limit
    assert not any(stop in text(answer) for stop in stops)
    assert streamed[-2]["choices"][0]["finish_reason"] == finish(answer)
