"""Whole answers of a chat upstream, which mean what a stream means that says the same."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from protocols.chat.chat_reader_support import call, folded, fragment, text, thought, told, whole
from protocols.chat.chat_support import TEXTS
from setpoint.canonical.parts import Part, Text, ToolCall
from setpoint.canonical.result import Finish, Result
from setpoint.canonical.usage import Usage
from setpoint.errors import ProviderError
from setpoint.protocols.chat import read_result
from setpoint.wire.body import split

# --- whole answers -------------------------------------------------------------------------------------------


def test_a_whole_answer_is_read() -> None:
    result = read_result(
        split(
            b'{"id":"c7","service_tier":"flex","usage":{"prompt_tokens":3,"completion_tokens":1,"cost":0.5},"choices":['
            b'{"finish_reason":"tool_calls","logprobs":{"content":[{"token":"Hi"}]},"message":{"role":"assistant",'
            b'"reasoning":"Hm","content":"\\u0048i","annotations":[{"type":"file"}],'
            b'"tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"}},'
            b'{"type":"function","function":{"name":"f","arguments":{"a": 1.50}}}]}},'
            b'{"message":{"content":"other"}}]}'
        )
    )
    assert result == Result(
        parts=(
            thought("Hm"),
            Text(text=Raw(b'"\\u0048i"')),
            call("a", "f", "{}"),
            call("", "f", '{"a": 1.50}'),
        ),
        finish=Finish(reason="tool_calls", native="tool_calls"),
        usage=Usage(input_tokens=3, output_tokens=1),
        provider_cost=Decimal("0.5"),
        upstream_id="c7",
        service_tier="flex",
        logprobs=Raw(b'[{"token":"Hi"}]'),
        unsaid=("annotations.file",),
    )


def test_every_call_of_a_whole_answer_is_one_of_its_own_whatever_its_id_and_its_number() -> None:
    def said(name: str, arguments: str, **more: Any) -> dict[str, Any]:
        return {"id": "f", "type": "function", "function": {"name": name, "arguments": arguments}, **more}

    made = (call("f", "f", '{"a": 1}'), call("f", "g", '{"b": 2}'), call("f", "g", "{}"))
    for number in ({}, {"index": 0}):
        calls = [said("f", '{"a": 1}', **number), said("g", '{"b": 2}', **number), said("g", "{}", **number)]
        assert whole({"tool_calls": calls}).parts == made


def test_members_with_half_a_character_in_their_names_are_no_obstacle() -> None:
    body = split(b'{"choices":[{"\\ud800":1,"message":{"content":"Hi","\\udfff":2}}],"\\ud800":3}')
    assert read_result(body) == Result(parts=(text("Hi"),))


def test_an_answer_that_says_nothing_of_itself_is_read() -> None:
    assert whole({}) == Result()
    assert whole({"content": "Hi"}) == Result(parts=(text("Hi"),))


@pytest.mark.parametrize(
    "data",
    [
        *(b"{}", b'{"choices":null}', b'{"choices":[]}', b'{"choices":[1]}', b'{"choices":[{}]}'),
        *(b'{"choices":[{"message":"x"}]}', b'{"choices":[{"message":{"tool_calls":[1]}}]}'),
    ],
)
def test_what_is_no_complete_answer_is_the_providers_fault(data: bytes) -> None:
    with pytest.raises(ProviderError) as caught:
        read_result(split(data))
    assert (caught.value.type, caught.value.retry) == ("provider_unavailable", "next_endpoint")


# --- a stream and a whole answer that say the same -----------------------------------------------------------

_SAID = TEXTS.filter(bool)


@st.composite
def _answers(draw: st.DrawFn) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A message, and deltas that make it: each text in pieces, the fragments of the calls in turns."""
    message: dict[str, Any] = {}
    deltas: list[dict[str, Any]] = [{"role": "assistant"}]
    steps = draw(st.lists(st.lists(_SAID, min_size=1, max_size=3), max_size=2))
    details = [{"type": "reasoning.text", "signature": f"s{at}", "index": at} for at in range(len(steps))]
    for detail, pieces in zip(details, steps, strict=True):
        bare = {"type": "reasoning.text", "index": detail["index"]}
        deltas += [{"reasoning_details": [{**bare, "text": piece}]} for piece in pieces]
        deltas.append({"reasoning_details": [detail.copy()]})
        detail["text"] = "".join(pieces)
    message["reasoning_details"] = details
    for name in ("content", "refusal"):
        pieces = draw(st.lists(_SAID, max_size=3))
        deltas += [{name: piece} for piece in pieces]
        message[name] = "".join(pieces) or None
    arguments = draw(st.lists(st.lists(_SAID, max_size=3), max_size=3))
    deltas += [
        {"tool_calls": [fragment("", name="f", index=at, id=f"c{at}", type="function")]} for at in range(len(arguments))
    ]
    fragments = [fragment(piece, index=at) for at, pieces in enumerate(arguments) for piece in pieces]
    deltas += [{"tool_calls": [one]} for one in sorted(fragments, key=lambda one: str(one)[::-1])]
    told_of = {
        at: "".join(
            one["function"]["arguments"]
            for delta in deltas
            for one in delta.get("tool_calls", ())
            if one["index"] == at
        )
        for at in range(len(arguments))
    }
    message["tool_calls"] = [fragment(said, name="f", id=f"c{at}", type="function") for at, said in told_of.items()]
    return message, deltas


@given(_answers(), st.sampled_from(["stop", "length", "tool_calls"]))
def test_a_stream_folded_is_the_whole_answer(answer: tuple[dict[str, Any], list[dict[str, Any]]], native: str) -> None:
    message, deltas = answer
    events = told(*({"delta": delta} for delta in deltas), {"delta": {}, "finish_reason": native})
    made, meant = folded(events), whole(message, finish_reason=native)
    assert plain(made) == plain(meant)


def plain(result: Result) -> tuple[object, ...]:
    """A result with its texts as they read: pieces of a text are escaped as each of them came."""

    def read(part: Part) -> object:
        text = part.arguments if isinstance(part, ToolCall) else getattr(part, "text", None)
        return type(part), None if text is None else json.loads(bytes(text)), getattr(part, "seal", None)

    return tuple(read(part) for part in result.parts), result.finish
