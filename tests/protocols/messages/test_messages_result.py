"""A whole answer of the messages protocol: filled in for the client, read, and written for another dialect's."""

from __future__ import annotations

import json
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw, structs

from setpoint.canonical.parts import Citation, Media, Part, Reasoning, Refusal, Text, ToolCall
from setpoint.canonical.result import Finish, FinishReason, Result
from setpoint.canonical.usage import Usage
from setpoint.errors import ProviderError
from setpoint.protocols.answer import Bill, Opening, Stamp
from setpoint.protocols.messages.result import (
    STOP_REASONS,
    edit_result,
    fill_block,
    finish_of,
    read_citation,
    read_result,
    stop_reason,
    write_citation,
    write_result,
)
from setpoint.protocols.seals import read_seal
from setpoint.wire.body import Body, raw, split

BILL = Bill(Usage(input_tokens=9, output_tokens=2), None, None)
USAGE = {
    "input_tokens": 9,
    "output_tokens": 2,
    "cache_creation_input_tokens": 0,
    "cache_read_input_tokens": 0,
    "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
    "output_tokens_details": {"thinking_tokens": 0},
    "server_tool_use": None,
    "service_tier": None,
    "inference_geo": None,
    "cost": None,
    "is_byok": True,
}
CALL = {"type": "tool_use", "id": "toolu_1", "name": "look_up", "input": {"q": "x"}}
DIRECT = {"caller": {"type": "direct"}}


def opening() -> Opening:
    numbers = count(1)
    stamp = Stamp("gen-1", "acme/sage-2", "Acme", 1767225000)
    return Opening(stamp=stamp, request={}, new_id=lambda prefix: f"{prefix}{next(numbers)}")


def body_of(content: object) -> Body:
    return split(json.dumps(content).encode())


def edited(data: bytes, metadata: Raw | None = None) -> bytes:
    return edit_result(split(data)).write(opening(), BILL, metadata)


def answered(content: object) -> dict[str, Any]:
    return json.loads(edited(json.dumps(content).encode()))


def read(*blocks: object, **more: object) -> Result:
    return read_result(body_of({"content": blocks, **more}))


def written(*parts: Part, **more: Any) -> dict[str, Any]:
    return json.loads(write_result(Result(parts=parts, **more), opening(), BILL, None))


def block(part: Part) -> dict[str, Any]:
    (only,) = written(part)["content"]
    return only


# --- the same protocol ---------------------------------------------------------------------------------------


def test_the_barest_answer_gets_every_key_that_clients_need() -> None:
    assert answered({"content": [{"type": "text", "text": "Hi"}, CALL]}) == {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "acme/sage-2",
        "content": [{"type": "text", "text": "Hi", "citations": None}, CALL | DIRECT],
        "stop_reason": None,
        "stop_sequence": None,
        "stop_details": None,
        "container": None,
        "usage": USAGE,
    }


def test_the_upstreams_id_is_kept_and_its_model_is_not() -> None:
    answer = answered({"id": "msg_far", "model": "sage-2-2026", "content": []})
    assert (answer["id"], answer["model"]) == ("msg_far", "acme/sage-2")


@pytest.mark.parametrize("id_", [None, "", 7])
def test_an_id_that_the_upstream_does_not_give_is_made(id_: object) -> None:
    assert answered({"id": id_, "content": []})["id"] == "msg_1"


def test_what_is_not_filled_in_keeps_its_bytes() -> None:
    blocks = (
        b'{"type":"server_tool_use", "id":"s","name":"web_search","input":{"q":1.50}}',
        b'{ "type":"text","text":"\\u0048i \\ud800","citations":[{"type":"char_location", "x":1e2}] }',
        b'{"type":"tool_use","id":"t","name":"f","input":{ "big":123456789012345678901 },"caller":{"type":"x"}}',
        b'{"type":"of_tomorrow","x":[ ]}',
        b'{"no_type":true }',
    )
    beside = b'"context_management":{ "applied_edits":[] },"x_new":-0.0,"container":{"id":"c" }'
    out = edited(
        b'{"id":"msg_far","stop_reason":"tool_use","stop_sequence":null,%b,"content":[%b]}'
        % (beside, b",".join(blocks))
    )
    assert b'"content":[' + b",".join(blocks) + b"]" in out
    for member in beside.replace(b",", b"\n").split(b"\n"):
        assert member in out
    assert b'"stop_reason":"tool_use"' in out


def test_the_provider_is_not_told_for_clients_know_a_closed_list_of_them() -> None:
    assert "provider" not in answered({"provider": "Acme", "content": []})


@pytest.mark.parametrize("id_", [{}, {"id": ""}, {"id": None}])
def test_a_call_that_the_upstream_gives_no_id_gets_one(id_: dict[str, Any]) -> None:
    (call,) = answered({"id": "msg_far", "content": [{"type": "tool_use", "name": "f", **id_}]})["content"]
    assert call == {"type": "tool_use", "id": "toolu_1", "name": "f", **DIRECT}


def test_router_metadata_is_told_to_who_asks_for_it() -> None:
    assert json.loads(edited(b'{"content":[]}', Raw(b'{"x":1}')))["openrouter_metadata"] == {"x": 1}


def test_an_upstreams_own_router_metadata_is_told_to_nobody() -> None:
    theirs = b'{"content":[],"openrouter_metadata":{"theirs":1}}'
    assert "openrouter_metadata" not in json.loads(edited(theirs))
    assert json.loads(edited(theirs, Raw(b'{"x":1}')))["openrouter_metadata"] == {"x": 1}


def test_an_edited_answer_says_what_it_is() -> None:
    said = {
        "id": "msg_far",
        "content": [{"type": "text", "text": "Hi!"}],
        "stop_reason": "max_tokens",
        "usage": {"input_tokens": 5, "output_tokens": 3, "service_tier": "standard", "cost": 0.5},
    }
    outcome = edit_result(body_of(said)).outcome
    assert (outcome.upstream_id, outcome.finish_reason, outcome.native_finish_reason) == (
        "msg_far",
        "length",
        "max_tokens",
    )
    assert (outcome.usage, str(outcome.provider_cost)) == (Usage(input_tokens=5, output_tokens=3), "0.5")
    assert (outcome.service_tier, outcome.output_bytes) == ("default", 3)


@pytest.mark.parametrize("take", [edit_result, read_result])
@pytest.mark.parametrize("body", [{}, {"content": None}, {"content": "Hi"}, {"content": ["Hi"]}, {"content": {}}])
def test_what_has_no_list_of_blocks_is_no_answer(take: Any, body: object) -> None:
    with pytest.raises(ProviderError) as refusal:
        take(body_of(body))
    assert refusal.value.type == "provider_unavailable"


@pytest.mark.parametrize("citations", [[], [{"type": "char_location"}], None])
def test_citations_that_are_there_stay(citations: object) -> None:
    said = body_of({"type": "text", "text": "", "citations": citations})
    assert fill_block(said) is said


# --- why it ended --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("native", "reason"),
    [
        *(("end_turn", "stop"), ("stop_sequence", "stop"), ("pause_turn", "stop"), ("compaction", "stop")),
        *(("max_tokens", "length"), ("model_context_window_exceeded", "length"), ("tool_use", "tool_calls")),
        *(("refusal", "content_filter"), ("word_of_tomorrow", "stop")),
    ],
)
def test_each_stop_reason_has_a_word_elsewhere(native: str, reason: FinishReason) -> None:
    assert finish_of(body_of({"stop_reason": native})) == Finish(reason=reason, native=native)


@pytest.mark.parametrize("native", [None, 7, []])
def test_an_answer_may_not_say_why_it_ended(native: object) -> None:
    assert finish_of(body_of({"stop_reason": native, "stop_sequence": "END"})) is None


def test_the_matched_sequence_and_the_details_keep_their_bytes() -> None:
    said = split(b'{"stop_reason":"refusal","stop_sequence":"E\\u004eD","stop_details":{ "type":"refusal" }}')
    finish = finish_of(said)
    assert finish is not None
    assert (finish.stop_sequence, finish.details) == (Raw(b'"E\\u004eD"'), Raw(b'{ "type":"refusal" }'))


@pytest.mark.parametrize(
    ("reason", "sequence", "word"),
    [
        *(("stop", None, "end_turn"), ("stop", Raw(b'"END"'), "stop_sequence"), ("length", None, "max_tokens")),
        *(("tool_calls", None, "tool_use"), ("content_filter", None, "refusal")),
    ],
)
def test_each_finish_has_a_stop_reason(reason: FinishReason, sequence: Raw | None, word: str) -> None:
    finish = Finish(reason=reason, native="x", stop_sequence=sequence)
    assert stop_reason(finish) == word
    assert STOP_REASONS[word] == reason


# --- citations -----------------------------------------------------------------------------------------------


def test_a_link_is_read_and_written_without_the_index_that_only_its_maker_knows() -> None:
    link = {
        "type": "web_search_result_location",
        "cited_text": "so",
        "url": "https://a.test",
        "title": None,
        "encrypted_index": "opaque",
    }
    citation = read_citation(raw(link))
    assert citation == Citation(url=raw("https://a.test"), quoted=raw("so"))
    assert json.loads(bytes(write_citation(citation) or b"")) == link | {"encrypted_index": ""}


@pytest.mark.parametrize(
    "data", [b'{ "type":"char_location","start_char_index":1 }', b'{"type":"web_search_result_location"}', b"7", b"{}"]
)
def test_what_is_no_link_stays_whole(data: bytes) -> None:
    assert write_citation(read_citation(Raw(data))) == Raw(data)


def test_a_citation_that_leads_nowhere_is_not_written() -> None:
    assert write_citation(Citation(title=raw("t"))) is None


# --- reading for another protocol ----------------------------------------------------------------------------


def test_an_answer_is_read_part_by_part() -> None:
    data = (
        b'{"id":"msg_far","content":[{"type":"thinking","thinking":"h\\u006dm","signature":"c2\\/ln"},'
        b'{"type":"redacted_thinking","data":"b3Bh\\/"},{"type":"text","text":"H\\ud800i","citations":null},'
        b'{"type":"tool_use","id":"toolu_1","name":"f","input":{ "a":1.50 }}],"stop_reason":"tool_use",'
        b'"usage":{"input_tokens":5,"output_tokens":3,"cost":0.5,"service_tier":"priority"}}'
    )
    result = read_result(split(data))
    own: dict[str, Any] = {"maker": "messages", "format": "anthropic-claude-v1"}
    assert result.parts == (
        Reasoning(kind="text", text=Raw(b'"h\\u006dm"'), seal=Raw(b'"c2\\/ln"'), **own),
        Reasoning(kind="encrypted", seal=Raw(b'"b3Bh\\/"'), **own),
        Text(text=Raw(b'"H\\ud800i"')),
        ToolCall(id="toolu_1", name="f", arguments=raw('{ "a":1.50 }')),
    )
    assert result.finish == Finish(reason="tool_calls", native="tool_use")
    assert (result.usage, str(result.provider_cost)) == (Usage(input_tokens=5, output_tokens=3), "0.5")
    assert (result.upstream_id, result.service_tier, result.unsaid) == ("msg_far", "priority", ())


def test_a_thought_without_a_signature_has_no_seal() -> None:
    for signature in ("", None):
        (step,) = read({"type": "thinking", "thinking": "hm", "signature": signature}).parts
        assert isinstance(step, Reasoning)
        assert step.seal is None


def test_a_call_without_input_has_no_arguments() -> None:
    (call,) = read({"type": "tool_use", "name": "f"}).parts
    assert call == ToolCall(id="", name="f", arguments=raw("{}"))


def test_what_no_other_protocol_has_a_word_for_is_named_once() -> None:
    result = read(
        *({"type": "server_tool_use"}, {"type": "compaction"}, {"type": "server_tool_use"}, {"text": "?"}),
        {"type": "text", "text": "Hi", "citations": [{"type": "char_location"}]},
    )
    assert result.unsaid == ("server_tool_use", "compaction", "content", "citations.char_location")
    assert [type(part) for part in result.parts] == [Text]


@pytest.mark.parametrize("kind", ["a b", "é", "\n", "x" * 101, "", None, 7])
def test_a_kind_that_cannot_be_told_is_named_by_what_it_is(kind: object) -> None:
    result = read({"type": kind}, {"type": "text", "text": "Hi", "citations": [{"type": kind}]})
    assert result.unsaid == ("content", "citations.citation")


@pytest.mark.parametrize(
    "broken",
    [
        *({"type": "text"}, {"type": "text", "text": 1}, {"type": "thinking", "thinking": None}),
        *({"type": "redacted_thinking"}, {"type": "tool_use", "id": "t"}),
    ],
)
def test_a_block_without_what_makes_it_one_is_no_answer(broken: object) -> None:
    with pytest.raises(ProviderError):
        read(broken)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.sampled_from(["text", "tool_use", "thinking"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["type", "text", "citations", "input", "name", "thinking", "usage"]), inner)
    ),
)


@given(JSON, JSON)
def test_any_answer_is_taken_or_refused_as_the_providers_fault(content: object, other: object) -> None:
    body = body_of({"content": [content], "usage": other, "stop_reason": other, "id": other, "stop_details": other})
    for take in (edit_result, read_result):
        try:
            take(body)
        except ProviderError as error:
            assert error.type == "provider_unavailable"  # noqa: PT017 that it may not raise is the other outcome


# --- writing for another dialect -----------------------------------------------------------------------------


def test_the_barest_answer_of_another_dialect_has_every_key_that_clients_need() -> None:
    assert written() == {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "acme/sage-2",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "stop_details": None,
        "container": None,
        "usage": USAGE,
    }


def test_the_finish_and_the_tier_are_told_in_the_protocols_words() -> None:
    finish = Finish(reason="stop", native="stop", stop_sequence=raw("END"))
    answer = written(finish=finish, service_tier="default", upstream_id="chatcmpl-1")
    assert (answer["stop_reason"], answer["stop_sequence"], answer["stop_details"]) == ("stop_sequence", "END", None)
    assert answer["usage"]["service_tier"] == "standard"


@pytest.mark.parametrize(
    ("part", "content"),
    [
        (Text(text=raw("Hi")), {"type": "text", "text": "Hi", "citations": None}),
        (Refusal(text=raw("No")), {"type": "text", "text": "No", "citations": None}),
        (
            ToolCall(id="call_1", name="f", arguments=raw('{"a": 1}')),
            {"type": "tool_use", "id": "call_1", "name": "f", "input": {"a": 1}, **DIRECT},
        ),
        (
            ToolCall(id="", name="f", arguments=raw("")),
            {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}, **DIRECT},
        ),
        (
            ToolCall(id="c", name="f", arguments=raw("[1")),
            {"type": "tool_use", "id": "c", "name": "f", "input": {"raw_arguments": "[1"}, **DIRECT},
        ),
        (
            ToolCall(id="c", name="f", arguments=raw("free text"), kind="custom"),
            {"type": "tool_use", "id": "c", "name": "f", "input": {"input": "free text"}, **DIRECT},
        ),
        (
            ToolCall(id="c", name="my.tool", arguments=raw("{}")),
            {"type": "tool_use", "id": "c", "name": "my.tool", "input": {}, **DIRECT},
        ),
        (
            ToolCall(id="c", name="read", namespace="files", arguments=raw("{}")),
            {"type": "tool_use", "id": "c", "name": "files__read", "input": {}, **DIRECT},
        ),
        (Reasoning(kind="text", text=raw("hm")), {"type": "thinking", "thinking": "hm", "signature": ""}),
    ],
)
def test_each_part_is_a_block(part: Part, content: dict[str, Any]) -> None:
    assert block(part) == content


def test_a_link_is_cited() -> None:
    text = Text(text=raw("Hi"), citations=(Citation(url=raw("https://a.test")), Citation(title=raw("nowhere"))))
    assert [cited["url"] for cited in block(text)["citations"]] == ["https://a.test"]


@pytest.mark.parametrize(
    "part",
    [
        *(Text(text=raw("")), Refusal(text=raw("")), Reasoning(kind="text", text=raw("")), Reasoning(kind="summary")),
        *(Reasoning(kind="encrypted"), Media(kind="image", url=raw("https://a.test"))),
    ],
)
def test_what_says_nothing_here_is_no_block(part: Part) -> None:
    assert written(part)["content"] == []


@pytest.mark.parametrize(
    "step",
    [
        Reasoning(kind="summary", text=raw("hm"), maker="responses", format="openai-responses-v1", id="rs_1"),
        Reasoning(kind="encrypted", seal=raw("opaque"), maker="responses", format="openai-responses-v1", id="rs_1"),
        Reasoning(kind="text", text=raw("hm"), seal=raw("signed"), maker="chat", format="google-gemini-v1"),
    ],
)
def test_a_seal_of_another_maker_is_wrapped_so_that_it_finds_its_way_back(step: Reasoning) -> None:
    said = block(step)
    seal = read_seal(raw(said["data"] if step.kind == "encrypted" else said["signature"]))
    assert seal == structs.replace(step, text=None)


def thought(text: Raw, seal: Raw | None) -> Reasoning:
    return Reasoning(kind="text", text=text, seal=seal, maker="messages", format="anthropic-claude-v1")


def redacted(seal: Raw) -> Reasoning:
    return Reasoning(kind="encrypted", seal=seal, maker="messages", format="anthropic-claude-v1")


def finished(reason: FinishReason, sequence: Raw | None) -> Finish:
    finish = Finish(reason=reason, native="", stop_sequence=sequence)
    return structs.replace(finish, native=stop_reason(finish))


REASONS: tuple[FinishReason, ...] = ("stop", "length", "tool_calls", "content_filter")
TEXTS = st.text(min_size=1).map(raw)
PARTS = (
    st.builds(Text, text=TEXTS, citations=st.lists(st.builds(Citation, url=TEXTS, quoted=TEXTS), max_size=2).map(tuple))
    | st.builds(thought, TEXTS, st.none() | TEXTS)
    | st.builds(redacted, TEXTS)
    | st.builds(
        ToolCall,
        id=st.text(min_size=1),
        name=st.text(min_size=1),
        arguments=st.dictionaries(st.text(), st.integers() | st.text(), max_size=3).map(json.dumps).map(raw),
        kind=st.just("function"),
    )
)
FINISHES = st.builds(finished, st.sampled_from(REASONS), st.none() | TEXTS)


@given(st.lists(PARTS, max_size=4).map(tuple), FINISHES)
def test_what_is_written_is_read_as_what_it_was(parts: tuple[Part, ...], finish: Finish) -> None:
    result = Result(parts=parts, finish=finish, usage=BILL.usage)
    assert read_result(split(write_result(result, opening(), BILL, None))) == structs.replace(
        result, upstream_id="msg_1"
    )
