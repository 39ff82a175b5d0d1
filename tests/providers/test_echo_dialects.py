"""The offline model in the messages and responses dialects: the same text, in each protocol's own words."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.echo_support import (
    BOTH,
    LIMIT,
    SCHEMA,
    THINKING,
    Other,
    ask,
    conversation,
    events,
    said,
    streamed,
    whole,
)
from setpoint.canonical.parts import Text
from setpoint.protocols.registry import PROTOCOLS
from setpoint.providers.echo import count, dialect_of, reply
from setpoint.wire.body import as_text, split
from setpoint.wire.sse import DONE

if TYPE_CHECKING:
    from setpoint.records import Dialect

ARGUMENTS = {"query": "string", "limit": 0}

# --- what it shows -------------------------------------------------------------------------------------------


def test_the_text_shows_what_reached_the_model_of_messages() -> None:
    body = b"""{"model": "echo", "temperature": 0.20, "x_new": {"a":1.50}, "stop_sequences": ["END", "FIN"],
        "max_tokens": 900, "stream": false, "thinking": {"type": "disabled"},
        "system": [{"type": "text", "text": "You triage parcels."}, {"type": "text", "text": "Be kind."}],
        "messages": [
            {"role": "user", "content": "Hello"},
            {"role": "system", "content": "Be brief."},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_1", "name": "search", "input": {}}]},
            {"role": "user", "content": [
                {"type": "text", "text": "See this:"},
                {"type": "image", "source": {"type": "url", "url": "https://a.test/b.png"}}
            ]},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_2", "name": "search", "input": {}}]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "toolu_2", "content": [{"type": "text", "text": "on its way"}]},
                {"type": "tool_result", "tool_use_id": "toolu_3", "content": "late"}
            ]}
        ],
        "tools": [{"name": "search", "input_schema": {"type": "object"}}, {"type": "web_search_20250305",
            "name": "web_search"}, {"type": "bash_20250124", "name": "bash"}]}"""
    assert said("messages", reply(body, "messages", created=1)).split("\n") == [
        "system: You triage parcels. Be kind.",
        "system: Be brief.",
        "max_tokens: 900",
        "stop_sequences: 2 sequences",
        "temperature: 0.20",
        'thinking: {"type": "disabled"}',
        'x_new: {"a":1.50}',
        "tools: search, web_search_20250305, bash",
        "user: See this: [image]",
        "tool: on its way",
        "tool: late",
    ]


def test_the_text_shows_what_reached_the_model_of_responses() -> None:
    body = b"""{"model": "echo", "temperature": 0.20, "x_new": {"a":1.50}, "stop": "END", "max_output_tokens": 900,
        "store": false, "instructions": "You triage parcels.",
        "input": [
            {"role": "developer", "content": "Be brief."},
            {"role": "user", "content": "Hello"},
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hi"}]},
            {"type": "web_search_call", "id": "ws_1", "status": "completed"},
            {"role": "user", "content": [{"type": "input_text", "text": "See this:"}, {"type": "input_image"}]},
            {"type": "function_call", "call_id": "call_1", "name": "search", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "call_1", "output": "on its way"},
            {"type": "custom_tool_call_output", "call_id": "call_2", "output": [{"type": "input_text", "text": "late"}]}
        ],
        "tools": [{"type": "function", "name": "search", "parameters": null}, {"type": "web_search"},
            {"type": "namespace", "name": "mail", "tools": [{"type": "custom", "name": "send"}]}]}"""
    assert said("responses", reply(body, "responses", created=1)).split("\n") == [
        "system: You triage parcels.",
        "system: Be brief.",
        "max_output_tokens: 900",
        "stop: 1 sequence",
        "store: false",
        "temperature: 0.20",
        'x_new: {"a":1.50}',
        "tools: search, web_search, send",
        "user: See this: [input_image]",
        "tool: on its way",
        "tool: late",
    ]


def test_a_string_of_input_is_a_user_message() -> None:
    assert said("responses", ask("responses", input="Hello")) == "user: Hello"


# --- how it answers ------------------------------------------------------------------------------------------


def test_a_whole_answer_of_messages() -> None:
    answer = whole(ask("messages", max_tokens=500))
    assert answer["id"].startswith("msg_")
    told = {name: answer[name] for name in ("type", "role", "model", "stop_reason", "stop_sequence")}
    assert told == {
        "type": "message",
        "role": "assistant",
        "model": "echo",
        "stop_reason": "end_turn",
        "stop_sequence": None,
    }
    assert [block["text"] for block in answer["content"]] == ["max_tokens: 500\nuser: Where is my parcel?"]
    # "Where is my parcel?" is 19 bytes: a quarter of them, rounded up; five words with "user:", two with "max_tokens:".
    assert (answer["usage"]["input_tokens"], answer["usage"]["output_tokens"]) == (5, 7)


def test_a_whole_answer_of_responses() -> None:
    answer = whole(ask("responses"))
    assert answer["id"].startswith("resp_")
    assert (answer["object"], answer["status"], answer["model"]) == ("response", "completed", "echo")
    assert answer["created_at"] == 1_700_000_000
    [item] = answer["output"]
    assert (item["type"], item["role"]) == ("message", "assistant")
    assert [part["text"] for part in item["content"]] == ["user: Where is my parcel?"]
    usage = answer["usage"]
    assert (usage["input_tokens"], usage["output_tokens"], usage["total_tokens"]) == (5, 5, 10)


@pytest.mark.parametrize("dialect", BOTH)
def test_the_same_body_gets_the_same_bytes_and_another_body_other_ids(dialect: Other) -> None:
    assert ask(dialect, **THINKING[dialect]) == ask(dialect, **THINKING[dialect])
    assert ask(dialect, stream=True, **THINKING[dialect]) == ask(dialect, stream=True, **THINKING[dialect])
    assert whole(ask(dialect, temperature=1))["id"] != whole(ask(dialect, temperature=0.5))["id"]


def test_a_stream_of_messages_has_an_event_for_each_piece() -> None:
    told = events(ask("messages", stream=True))
    assert [one["type"] for one in told] == [
        "message_start",
        "content_block_start",
        *["content_block_delta"] * 5,
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert [one["delta"]["text"] for one in told if one["type"] == "content_block_delta"] == [
        *("user:", " Where", " is", " my", " parcel?")
    ]
    assert (told[-2]["delta"]["stop_reason"], told[-2]["usage"]["output_tokens"]) == ("end_turn", 5)


def test_a_stream_of_responses_has_an_event_for_each_piece() -> None:
    answer = ask("responses", stream=True)
    assert answer.frames[-1].endswith(DONE)
    told = events(answer)
    assert [one["type"] for one in told] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        *["response.output_text.delta"] * 5,
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert [one["sequence_number"] for one in told] == list(range(len(told)))
    assert told[-1]["response"]["usage"]["output_tokens"] == 5
    assert told[-1]["response"]["created_at"] == 1_700_000_000


@pytest.mark.parametrize("dialect", BOTH)
def test_an_output_limit_cuts_the_text_by_pieces(dialect: Other) -> None:
    answer = ask(dialect, **{LIMIT[dialect]: 2})
    assert said(dialect, answer) == f"{LIMIT[dialect]}: 2"[: len(said(dialect, answer))]
    assert whole(answer)["usage"]["output_tokens"] == 2
    result = PROTOCOLS[dialect].read_result(split(answer.body))
    assert result.finish is not None
    assert result.finish.reason == "length"


def test_a_stop_sequence_is_named_in_messages() -> None:
    answer = whole(ask("messages", stop_sequences=["nowhere", "parcel", "is my"]))
    assert answer["content"][0]["text"].endswith("user: Where ")
    assert (answer["stop_reason"], answer["stop_sequence"]) == ("stop_sequence", "is my")


def test_a_stop_sequence_ends_the_text_of_responses() -> None:
    answer = ask("responses", stop="is my")
    assert said("responses", answer).endswith("user: Where ")
    assert whole(answer)["status"] == "completed"


# --- formats -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dialect", "asked"),
    [
        ("messages", {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}}),
        ("responses", {"text": {"format": {"type": "json_schema", "name": "answer", "schema": SCHEMA}}}),
    ],
)
def test_a_schema_makes_the_text_the_least_instance(dialect: Other, asked: dict[str, Any]) -> None:
    assert json.loads(said(dialect, ask(dialect, **asked))) == ARGUMENTS


def test_json_object_makes_the_text_of_responses_an_object() -> None:
    text = json.loads(said("responses", ask("responses", text={"format": {"type": "json_object"}})))["text"]
    assert text.endswith("\nuser: Where is my parcel?")


# --- counting, paths, and all of it at once ------------------------------------------------------------------


def test_it_counts_what_a_request_would_use() -> None:
    body = json.dumps({"model": "echo", "system": "Be brief.", **conversation("messages")}).encode()
    assert json.loads(count(body).body) == {"input_tokens": 7}
    assert whole(reply(body, "messages", created=1))["usage"]["input_tokens"] == 7
    assert count(b"{}").status == 400


@pytest.mark.parametrize(
    ("path", "dialect"),
    [
        ("/v1/chat/completions", "chat"),
        ("https://a.test/v1/messages", "messages"),
        ("/responses", "responses"),
        ("/v1/messages/count_tokens", None),
        ("/v1/models", None),
    ],
)
def test_a_path_says_which_dialect_is_spoken(path: str, dialect: Dialect | None) -> None:
    assert dialect_of(path) == dialect


def test_three_dialects_say_the_same_of_one_conversation() -> None:
    system, user = "Be brief.", "Where is it?"
    chat = ask("chat", messages=[{"role": "system", "content": system}, {"role": "user", "content": user}])
    text = json.loads(chat.body)["choices"][0]["message"]["content"]
    assert text == said("messages", ask("messages", system=system, messages=[{"role": "user", "content": user}]))
    assert text == said("responses", ask("responses", instructions=system, input=user))


@pytest.mark.parametrize("dialect", BOTH)
@given(text=st.text(), limit=st.integers(1, 40), thinks=st.booleans())
def test_stream_and_whole_answer_agree_and_never_pass_the_limit(
    dialect: Other, text: str, limit: int, thinks: bool
) -> None:
    asked = {**conversation(dialect, text), LIMIT[dialect]: limit, **(THINKING[dialect] if thinks else {})}
    answer, result = ask(dialect, **asked), streamed(dialect, ask(dialect, stream=True, **asked))
    assert "".join(as_text(part.text) or "" for part in result.parts if isinstance(part, Text)) == said(dialect, answer)
    one = PROTOCOLS[dialect].read_result(split(answer.body))
    assert result.usage == one.usage
    assert one.usage is not None
    assert one.usage.output_tokens <= limit
    assert result.finish is not None
    assert one.finish is not None
    assert result.finish.reason == one.finish.reason
