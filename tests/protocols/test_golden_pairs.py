"""Golden answers through all nine pairs: what a client of any skin reads is what the upstream of any dialect said.

The client's bytes are read again by the skin's own reader, so that each pair is held by a case's own meaning.
"""

from __future__ import annotations

import json
from decimal import Decimal
from itertools import count, product
from typing import TYPE_CHECKING, Any

import pytest
from msgspec import Raw

from protocols.golden_support import cases, frames_of, meaning, streamed, with_ids_of
from setpoint.canonical.parts import Reasoning, ToolCall
from setpoint.canonical.usage import Usage
from setpoint.errors import ProviderError
from setpoint.protocols.answer import Bill, Opening, Stamp, StreamFailedError
from setpoint.protocols.names import ToolNames
from setpoint.protocols.registry import PROTOCOLS
from setpoint.protocols.terms import Terms
from setpoint.protocols.translate import read_answer, read_stream
from setpoint.wire.body import split

if TYPE_CHECKING:
    from collections.abc import Iterable

    from protocols.golden_support import Case, Meaning
    from setpoint.canonical.conversation import Conversation
    from setpoint.canonical.parts import Part
    from setpoint.protocols.base import EditedStream
    from setpoint.records import Dialect

AMOUNT = Decimal("0.00125")
ESTIMATE = Usage(input_tokens=21, output_tokens=9, estimated=True)

STREAMED = list(product(cases("upstream.sse"), PROTOCOLS))
WHOLE = [
    (case, skin) for case, skin in product(cases("upstream.json"), PROTOCOLS) if case.answer()["ended"] != "failed"
]

# The tokens that a skin has a word for.
_COUNTED = {
    "chat": {
        *("input_tokens", "output_tokens", "cached_tokens", "cache_write_tokens", "reasoning_tokens"),
        *("input_audio_tokens", "output_audio_tokens", "image_tokens"),
    },
    "messages": {
        *("input_tokens", "output_tokens", "cached_tokens", "cache_write_tokens", "cache_write_1h_tokens"),
        "reasoning_tokens",
    },
    "responses": {"input_tokens", "output_tokens", "cached_tokens", "cache_write_tokens", "reasoning_tokens"},
}
# The media that an answer can hold.
_MEDIA = {"chat": ("image", "audio"), "messages": (), "responses": ("image",)}


def opening() -> Opening:
    numbers = count(1)
    return Opening(
        stamp=Stamp("gen-1", "acme/sage-2", "Acme", 1767225000),
        request={},
        new_id=lambda prefix: f"{prefix}{next(numbers)}",
    )


def bill(usage: Usage | None) -> Bill:
    return Bill(usage or ESTIMATE, None, AMOUNT)


def relayed(case: Case, skin: Dialect) -> tuple[bytes, EditedStream]:
    """What the client of a skin gets of a case's stream, and the stream that made it."""
    edited = read_stream(opening(), skin=PROTOCOLS[skin], dialect=PROTOCOLS[case.protocol], names=ToolNames())
    out = b""
    try:
        for frame in frames_of(case.read("upstream.sse")):
            out += edited.read(frame)
    except (StreamFailedError, ProviderError):
        return out + edited.fail(ProviderError("provider_overloaded", "busy"), None), edited
    if not edited.terminal:
        return out + edited.fail(ProviderError("provider_unavailable", "ended early"), None), edited
    return out + edited.end(bill(edited.outcome.usage), None), edited


def seen(expected: Meaning, dialect: Dialect, skin: Dialect, *, whole: bool) -> Meaning:
    """What a client of the skin can see of an answer that means this, whole or streamed."""
    said: Meaning = {**expected, "cost": str(AMOUNT)}
    counted = expected["usage"] or {"input_tokens": ESTIMATE.input_tokens, "output_tokens": ESTIMATE.output_tokens}
    said["usage"] = {name: tokens for name, tokens in counted.items() if name in _COUNTED[skin]}
    if skin == dialect:
        return said
    said |= {"unsaid": [], "stop_sequence": None, "finish": expected["finish"] or "stop"}
    said["tool_calls"] = [_seen_call(call, skin, whole=whole) for call in expected["tool_calls"]]
    said["media"] = [kind for kind in expected["media"] if kind in _MEDIA[skin]]
    if skin == "messages":
        said |= {"text": expected["text"] + expected["refusal"], "refusal": "", "logprobs": 0}
    if skin == "responses" and said["finish"] in ("stop", "tool_calls"):
        said["finish"] = "tool_calls" if said["tool_calls"] else "stop"
    return said


def _seen_call(call: Meaning, skin: Dialect, *, whole: bool) -> Meaning:
    """A call as a skin says it: only responses has namespaces and tools of every kind, only messages wants objects."""
    if skin == "responses" or (skin == "chat" and call["kind"] == "custom"):
        return call
    arguments = {"input": call["arguments"]} if call["kind"] == "custom" else call["arguments"]
    if skin == "messages" and whole and not isinstance(arguments, dict):
        arguments = {"raw_arguments": arguments}
    name = f"{call['namespace']}__{call['name']}" if call["namespace"] else call["name"]
    return {**call, "name": name, "arguments": arguments, "kind": "function", "namespace": None}


def shown(said: Meaning) -> Meaning:
    """An answer without what only its own protocol can say: the native word for its end, the form of its seals."""
    return {name: content for name, content in said.items() if name not in ("native", "seals")}


# --- what is read --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("case", "skin"), STREAMED, ids=str)
def test_a_client_of_any_skin_reads_in_a_stream_what_the_upstream_said(case: Case, skin: Dialect) -> None:
    expected = case.answer()
    out, edited = relayed(case, skin)
    assert out.endswith(b"\n\n")
    said = with_ids_of(expected, streamed(PROTOCOLS[skin].reader(), frames_of(out)))
    told = seen(expected, case.protocol, skin, whole=False)
    if expected["ended"] == "complete":
        assert shown(said) == shown(told)
        if skin != case.protocol:
            assert edited.outcome.native_finish_reason == expected["native"]
            hidden = [kind for kind in dict.fromkeys(expected["media"]) if kind not in PROTOCOLS[skin].SHOWN]
            assert sorted(edited.outcome.unsaid) == sorted([*expected["unsaid"], *hidden])
        elif f'"{expected["native"]}"'.encode() in case.read("upstream.sse"):  # else it ended without a word
            assert edited.outcome.native_finish_reason == expected["native"]
    else:
        assert said["ended"] == "failed"
        for name in ("text", "reasoning", "refusal"):
            assert said[name] == told[name]


@pytest.mark.parametrize(("case", "skin"), WHOLE, ids=str)
def test_a_client_of_any_skin_reads_in_a_whole_answer_what_the_upstream_said(case: Case, skin: Dialect) -> None:
    expected = case.answer()
    if expected["ended"] == "broken":
        with pytest.raises(ProviderError):
            written(case, skin)
        return
    out = written(case, skin)
    said = with_ids_of(expected, meaning(PROTOCOLS[skin].read_result(split(out))))
    assert shown(said) == shown(seen(expected, case.protocol, skin, whole=True))


def written(case: Case, skin: Dialect) -> bytes:
    """What the client of a skin gets of a case's whole answer."""
    body = split(case.read("upstream.json"))
    edited = read_answer(body, skin=PROTOCOLS[skin], dialect=PROTOCOLS[case.protocol], names=ToolNames())
    return edited.write(opening(), bill(edited.outcome.usage), None)


# --- what goes out -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("case", "skin"), STREAMED, ids=str)
def test_a_stream_has_the_form_that_clients_of_its_skin_rely_on(case: Case, skin: Dialect) -> None:
    out, _ = relayed(case, skin)
    complete = case.answer()["ended"] == "complete"
    frames = frames_of(out)
    if skin != "messages":
        assert frames.pop().data == b"[DONE]"
    events = [json.loads(frame.data) for frame in frames]
    names = [None if skin == "chat" else event["type"].encode() for event in events]
    assert [frame.event for frame in frames] == names
    _FORMS[skin](events, complete=complete, ours=skin != case.protocol)


def _check_chat(chunks: list[Any], *, complete: bool, ours: bool) -> None:
    """One id, one usage in a last chunk without choices, and an error in its place when the answer broke."""
    assert {(chunk["id"], chunk["object"], chunk["model"]) for chunk in chunks} == {
        ("gen-1", "chat.completion.chunk", "acme/sage-2")
    }
    assert len({chunk["created"] for chunk in chunks}) == 1
    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    assert all(isinstance(choice["delta"], dict) and "finish_reason" in choice for choice in choices)
    last = chunks[-1]
    if complete:
        assert [chunk for chunk in chunks if "usage" in chunk] == [last]
        assert (last["choices"], last["usage"]["cost"]) == ([], float(AMOUNT))
    else:
        assert last["error"]["message"]
        assert last["choices"][0]["finish_reason"] == "error"
    if ours:
        assert not complete or choices[0]["delta"]["role"] == "assistant"
        calls = [call for choice in choices for call in choice["delta"].get("tool_calls", ())]
        begun = {call["index"]: call for call in reversed(calls)}
        assert all(call["id"] and call["type"] and call[call["type"]]["name"] for call in begun.values())


def _check_messages(events: list[Any], *, complete: bool, ours: bool) -> None:
    """One message, its blocks one after the other, its end told with the usage; or an error, and no end."""
    told = [event for event in events if event["type"] != "ping"]
    kinds = [event["type"] for event in told]
    if not complete:
        assert kinds[-1] == "error"
        assert told[-1]["error"]["message"]
        assert "message_stop" not in kinds
        return
    assert (kinds[0], kinds[-1]) == ("message_start", "message_stop")
    assert (kinds.count("message_start"), kinds.count("message_stop")) == (1, 1)
    start, end = told[0]["message"], told[-2]
    assert (start["model"], start["role"], start["content"]) == ("acme/sage-2", "assistant", [])
    assert start["usage"].keys() >= _MESSAGES_USAGE
    assert end["type"] == "message_delta"
    assert end["delta"].keys() >= {"stop_reason", "stop_sequence", "stop_details", "container"}
    assert end["usage"].keys() >= _MESSAGES_USAGE - {"cache_creation", "service_tier", "inference_geo"}
    assert end["usage"]["cost"] == float(AMOUNT)
    blocks = [event["content_block"] for event in told if event["type"] == "content_block_start"]
    assert all("citations" in block for block in blocks if block["type"] == "text")
    assert all(block["caller"] for block in blocks if block["type"] == "tool_use")
    if ours:
        inside = [(event["type"], event["index"]) for event in told if event["type"].startswith("content_block_")]
        assert [index for kind, index in inside if kind == "content_block_start"] == list(range(len(blocks)))
        assert [index for _, index in inside] == sorted(index for _, index in inside)
        assert end["delta"]["stop_reason"] is not None


_MESSAGES_USAGE = {
    *("input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "cache_creation"),
    *("output_tokens_details", "server_tool_use", "service_tier", "inference_geo"),
}


def _check_responses(events: list[Any], *, complete: bool, ours: bool) -> None:
    """Numbers without gaps, one id, items that begin and end, and one terminal event with all that was said."""
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    kinds = [event["type"] for event in events]
    assert kinds[0] == "response.created"
    assert [kind for kind in kinds if kind in _TERMINAL] == kinds[-1:]
    assert kinds[-1] != "response.failed" if complete else kinds[-1] == "response.failed"
    carried = [event["response"] for event in events if "response" in event]
    assert len({response["id"] for response in carried}) == 1
    assert {response["model"] for response in carried} == {"acme/sage-2"}
    last = carried[-1]
    assert last.keys() >= _RESPONSE
    if complete:
        assert last["usage"]["cost"] == float(AMOUNT)
        assert last["usage"].keys() >= {"input_tokens_details", "output_tokens_details"}
    else:
        assert last["error"]["message"]
    ids: dict[int, str] = {}
    for event in events:
        if event["type"] == "response.output_item.added":
            ids[event["output_index"]] = event["item"]["id"]
        elif event["type"] == "response.output_item.done":
            assert ours is False or event["item"]["id"] == ids[event["output_index"]]
        elif "item_id" in event and event["output_index"] in ids:
            assert event["item_id"] == ids[event["output_index"]]
    if ours and complete:
        done = [event["item"] for event in events if event["type"] == "response.output_item.done"]
        assert last["output"] == done
        assert list(ids) == list(range(len(done)))


_TERMINAL = {"response.completed", "response.incomplete", "response.failed"}
_RESPONSE = {
    *("id", "object", "created_at", "completed_at", "status", "model", "output", "error", "incomplete_details"),
    *("instructions", "metadata", "temperature", "top_p", "frequency_penalty", "presence_penalty"),
    *("parallel_tool_calls", "tool_choice", "tools"),
}
_FORMS = {"chat": _check_chat, "messages": _check_messages, "responses": _check_responses}


# --- what comes back -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("case", "skin"),
    [(case, skin) for case, skin in WHOLE if skin != case.protocol and case.answer()["ended"] == "complete"],
    ids=str,
)
def test_what_a_client_sends_back_in_its_next_turn_comes_home(case: Case, skin: Dialect) -> None:
    dialect = PROTOCOLS[case.protocol]
    made = dialect.read_result(split(case.read("upstream.json"))).parts
    conversation = replayed(json.loads(written(case, skin)), skin)
    back = [part for turn in conversation for part in turn.parts]
    assert sealed(back) == sealed(made)
    assert [part.id for part in back if isinstance(part, ToolCall)] == [
        part.id for part in made if isinstance(part, ToolCall)
    ]
    sent = b"".join(bytes(content) for content in dialect.write_conversation(conversation, Terms()).values())
    for _, seal in sealed(made):
        assert seal in sent


def replayed(answer: Any, skin: Dialect) -> Conversation:
    """The conversation of a client's next request, which holds its last answer as it came."""
    question: Any = {"role": "user", "content": "Go on"}
    match skin:
        case "chat":
            body: Any = {"messages": [question, answer["choices"][0]["message"], question]}
        case "messages":
            said = [{"role": "assistant", "content": answer["content"]}] if answer["content"] else []
            body = {"messages": [question, *said, question]}
        case "responses":
            body = {"input": [question, *answer["output"], question]}
    return PROTOCOLS[skin].read_conversation(split(json.dumps(body).encode()))


def sealed(parts: Iterable[Part]) -> list[tuple[str | None, bytes]]:
    """The maker and the sealed value of every step of reasoning that has one."""
    steps = [part for part in parts if isinstance(part, Reasoning)]
    return [(step.maker, bytes(step.seal)) for step in steps if step.seal not in (None, Raw(b'""'))]
