"""A whole answer of the chat protocol: read, filled in with what clients need, and stamped."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.chat.chat_support import BILL, opening
from setpoint.canonical.usage import Usage
from setpoint.errors import ProviderError
from setpoint.protocols.answer import StreamFailedError
from setpoint.protocols.chat.finish import normal_finish_reason
from setpoint.protocols.chat.result import ChatResult, edit_result, read_result
from setpoint.protocols.failures import Reported
from setpoint.wire.body import MalformedError, split


def read(data: bytes) -> ChatResult:
    """The answer in these bytes, taken apart once as the relay does it; what is no object counts as an empty one."""
    try:
        body = split(data)
    except MalformedError:
        body = {}
    return edit_result(body)


def written(data: bytes) -> bytes:
    return read(data).write(opening(), BILL, None)


def answered(content: object) -> dict[str, Any]:
    return json.loads(written(json.dumps(content).encode()))


def message(**said: Any) -> dict[str, Any]:
    return answered({"choices": [{"message": said}]})["choices"][0]["message"]


# --- filling in ----------------------------------------------------------------------------------------------


def test_the_barest_answer_gets_every_key_that_clients_need() -> None:
    assert answered({"choices": [{"message": {"content": "Hi"}}]}) == {
        "id": "gen-1",
        "object": "chat.completion",
        "created": 1767225000,
        "model": "acme/sage-2",
        "provider": "Acme",
        "system_fingerprint": None,
        "choices": [
            {
                "index": 0,
                "finish_reason": None,
                "native_finish_reason": None,
                "logprobs": None,
                "message": {"role": "assistant", "content": "Hi", "refusal": None, "reasoning": None},
            }
        ],
        "usage": {
            "prompt_tokens": 2,
            "completion_tokens": 1,
            "total_tokens": 3,
            "prompt_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0},
            "cost": None,
            "is_byok": True,
        },
    }


def test_our_id_model_and_provider_replace_the_upstreams_and_all_else_keeps_its_bytes() -> None:
    data = (
        b'{"id":"chatcmpl-7","object":"x","created":1767225600,"model":"sage","provider":"Far",'
        b'"system_fingerprint":"fp","service_tier":"default","x":{"n":1.50, "big":123456789012345678901},'
        b'"choices":[{"index":0,"x_choice":[1e2],"finish_reason":"stop",'
        b'"message":{"role":"assistant","content":"\\u0048i \\ud800","x_message":-0.0}}]}'
    )
    out = written(data)
    assert out.startswith(b'{"id":"gen-1","object":"chat.completion","created":1767225600,"model":"acme/sage-2"')
    assert b'"provider":"Acme"' in out
    for kept in (
        b'"system_fingerprint":"fp"',
        b'"service_tier":"default"',
        b'"x":{"n":1.50, "big":123456789012345678901}',
        b'"x_choice":[1e2]',
        b'"content":"\\u0048i \\ud800","x_message":-0.0',
    ):
        assert kept in out
    assert b"chatcmpl-7" not in out


@pytest.mark.parametrize(("created", "out"), [(7, 7), (0, 1767225000), (None, 1767225000), ("now", 1767225000)])
def test_a_time_that_the_upstream_does_not_say_is_ours(created: object, out: int) -> None:
    assert answered({"created": created, "choices": [{"message": {"content": "Hi"}}]})["created"] == out


@pytest.mark.parametrize("role", [None, "model", "user", 1])
def test_the_role_is_the_assistants(role: object) -> None:
    assert message(role=role)["role"] == "assistant"


def test_tool_calls_get_an_id_a_type_and_arguments_as_a_string() -> None:
    calls: list[dict[str, Any]] = [
        {"function": {"name": "a", "arguments": {"x": 1}}},
        {"id": "", "type": None, "function": {"name": "b"}},
        {"id": "mine", "type": "function", "function": {"name": "c", "arguments": None}, "x": 1},
        {"id": "own", "type": "custom", "custom": {"name": "d", "input": "e"}},
    ]
    assert message(tool_calls=calls)["tool_calls"] == [
        {"id": "call_1", "type": "function", "function": {"name": "a", "arguments": '{"x": 1}'}},
        {"id": "call_2", "type": "function", "function": {"name": "b", "arguments": ""}},
        {"id": "mine", "type": "function", "function": {"name": "c", "arguments": ""}, "x": 1},
        {"id": "own", "type": "custom", "custom": {"name": "d", "input": "e"}},
    ]


@pytest.mark.parametrize("calls", [None, []])
def test_no_tool_calls_stay_as_they_came(calls: object) -> None:
    assert message(tool_calls=calls)["tool_calls"] == calls


@pytest.mark.parametrize(
    ("native", "normal"),
    [
        *((word, word) for word in ("stop", "length", "tool_calls", "content_filter", "error")),
        *(("STOP", "stop"), ("end_turn", "stop"), ("eos", "stop")),
        *(("max_tokens", "length"), ("model_length", "length"), ("insufficient_system_resource", "error")),
        *(("tool_use", "tool_calls"), ("function_call", "tool_calls"), ("SAFETY", "content_filter")),
    ],
)
def test_finish_reasons_are_normalised_and_the_providers_own_word_is_kept(native: str, normal: str) -> None:
    assert normal_finish_reason(native) == normal
    data = json.dumps({"choices": [{"finish_reason": native, "message": {}}]}).encode()
    [choice] = json.loads(written(data))["choices"]
    assert (choice["finish_reason"], choice["native_finish_reason"]) == (normal, native)
    outcome = read(data).outcome
    assert (outcome.finish_reason, outcome.native_finish_reason) == (normal, native)


def test_a_native_finish_reason_of_the_upstreams_stays() -> None:
    data = b'{"choices":[{"finish_reason":"stop","native_finish_reason":"END","message":{}}]}'
    assert json.loads(written(data))["choices"][0]["native_finish_reason"] == "END"
    assert read(data).outcome.native_finish_reason == "END"


def test_several_choices_are_all_filled_in_and_counted() -> None:
    choices = [{"index": at, "finish_reason": "stop", "message": {"content": "ab"}} for at in range(3)]
    data = json.dumps({"choices": choices}).encode()
    assert [choice["index"] for choice in json.loads(written(data))["choices"]] == [0, 1, 2]
    assert read(data).outcome.output_bytes == 6


def test_the_outcome_is_what_the_upstream_says_of_itself() -> None:
    outcome = read(
        b'{"id":"chatcmpl-7","service_tier":"flex","choices":[{"finish_reason":"length","message":{"content":"Hi"}}],'
        b'"usage":{"prompt_tokens":3,"completion_tokens":1,"cost":0.00010}}'
    ).outcome
    assert (outcome.upstream_id, outcome.service_tier, outcome.finish_reason) == ("chatcmpl-7", "flex", "length")
    assert outcome.usage == Usage(input_tokens=3, output_tokens=1)
    assert outcome.provider_cost == Decimal("0.0001")


def test_an_answer_that_broke_off_keeps_its_text_and_its_error_for_a_client_of_chat() -> None:
    broken = {"finish_reason": "error", "error": {"code": 502, "message": "lost"}, "message": {"content": "Hal"}}
    [choice] = answered({"choices": [broken]})["choices"]
    assert choice["finish_reason"] == "error"
    assert choice["error"] == {"code": 502, "message": "lost"}
    assert choice["message"]["content"] == "Hal"


@pytest.mark.parametrize(
    ("end", "reported"),
    [
        ({"finish_reason": "error", "error": {"code": 429, "message": "slow down"}}, Reported("429", "slow down")),
        ({"finish_reason": "error", "error": "lost"}, Reported(None, "lost")),
        ({"finish_reason": "error"}, Reported()),
        ({"finish_reason": "insufficient_system_resource", "error": None}, Reported()),
    ],
)
def test_an_answer_that_broke_off_is_what_its_error_reports(end: dict[str, Any], reported: Reported) -> None:
    broken = {"message": {"content": "Hal"}, **end}
    with pytest.raises(StreamFailedError) as caught:
        read_result(split(json.dumps({"choices": [broken]}).encode()))
    assert caught.value.reported == reported


# --- hostile answers -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"{", b"[]", b"null", b"{}", b"<html>", b'{"choices":null}', b'{"choices":[]}', b'{"choices":{}}'),
        *(b'{"choices":[1]}', b'{"choices":[{}]}', b'{"choices":[{"message":null}]}', b'{"choices":[{"message":"x"}]}'),
        b'{"choices":[{"message":{"tool_calls":[1]}}]}',
        b'{"choices":[{"message":{}},{}]}',
        b'{"choices":' + b"[" * 100_000,
    ],
)
def test_what_is_no_complete_answer_is_the_providers_fault(data: bytes) -> None:
    with pytest.raises(ProviderError) as caught:
        read(data)
    assert (caught.value.type, caught.value.retry) == ("provider_unavailable", "next_endpoint")


_TEXTS = st.text(st.characters(codec=None, exclude_categories=()), max_size=3)
_SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), _TEXTS)
_NAMES = st.sampled_from(["message", "usage", "content", "tool_calls", "function", "arguments", "id", "type"])
_ANYTHING = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES | _TEXTS, inner, max_size=4),
    max_leaves=8,
)
_CALL = st.dictionaries(st.sampled_from(["id", "type", "function"]), _ANYTHING)
_MESSAGE = st.fixed_dictionaries(
    {}, optional={"role": _SCALARS, "content": _ANYTHING, "tool_calls": st.lists(_CALL | _ANYTHING, max_size=2)}
)
_CHOICE = st.fixed_dictionaries(
    {"message": _MESSAGE | _ANYTHING}, optional={"index": _SCALARS, "finish_reason": _SCALARS, "logprobs": _ANYTHING}
)
_ANSWERS = st.fixed_dictionaries(
    {"choices": st.lists(_CHOICE, max_size=2) | _ANYTHING},
    optional={"id": _SCALARS, "created": _SCALARS, "usage": _ANYTHING, "system_fingerprint": _SCALARS, "x": _ANYTHING},
)


@given((_ANSWERS | _ANYTHING).map(lambda content: json.dumps(content).encode()) | st.binary(max_size=9))
def test_an_answer_is_refused_or_written_with_every_key_that_clients_need(data: bytes) -> None:
    try:
        split(data)  # as the gateway does before it lets an answer in
        out = written(data)
    except (MalformedError, ProviderError):
        return
    answer = json.loads(out)
    assert (answer["id"], answer["object"], answer["model"]) == ("gen-1", "chat.completion", "acme/sage-2")
    assert isinstance(answer["created"], int)
    assert answer["usage"]["total_tokens"] >= 3
    assert answer["choices"]
    for choice in answer["choices"]:
        assert choice["index"] is not None
        assert choice["finish_reason"] in (None, "stop", "length", "tool_calls", "content_filter", "error")
        assert choice["message"]["role"] == "assistant"
        assert {"content", "refusal", "reasoning"} <= choice["message"].keys()
        calls: Any = choice["message"].get("tool_calls")
        if isinstance(calls, list):
            assert all(call["id"] and call["type"] is not None for call in cast("list[Any]", calls))
