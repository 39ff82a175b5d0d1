"""Streams of the messages protocol, written: events of another dialect in, what a strict client understands out."""

from __future__ import annotations

import json
from decimal import Decimal
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw, structs

from setpoint.canonical.events import (
    Began,
    Cited,
    Counted,
    Finished,
    Grew,
    PartBegan,
    PartEnded,
    Scored,
    Sealed,
    Unsaid,
)
from setpoint.canonical.fold import Fold, unfold
from setpoint.canonical.parts import Citation, Media, Reasoning, Refusal, Text, ToolCall
from setpoint.canonical.result import Finish, Result
from setpoint.canonical.usage import Usage
from setpoint.errors import ProviderError
from setpoint.protocols.answer import Bill, Opening, Stamp
from setpoint.protocols.messages.reader import reader
from setpoint.protocols.messages.result import write_result
from setpoint.protocols.messages.writer import writer
from setpoint.protocols.seals import read_seal, write_seal
from setpoint.records import Cost
from setpoint.wire.body import raw, value
from setpoint.wire.sse import FrameReader

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from setpoint.canonical.events import Event
    from setpoint.canonical.parts import Part

USAGE = Usage(input_tokens=12, output_tokens=5, cached_tokens=2, cache_write_tokens=3, reasoning_tokens=1)
COST = Cost(prompt=Decimal("0.0001"), completion=Decimal("0.00004"), total=Decimal("0.00014"))
BILL = Bill(USAGE, COST, COST.total)
STOP = Finished(Finish(reason="stop", native="stop"))
CALLED = Finished(Finish(reason="tool_calls", native="tool_calls"))

USAGE_KEYS = {
    *("input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "cache_creation"),
    *("output_tokens_details", "server_tool_use", "service_tier", "inference_geo"),
}
ENDING_KEYS = {"stop_reason", "stop_sequence", "stop_details", "container"}
TEXT, THOUGHT = Text(text=Raw(b'""')), Reasoning(kind="text", maker="chat")


def opening(debug: tuple[tuple[Stamp, Raw], ...] = ()) -> Opening:
    numbers = count(1)
    stamp = Stamp("gen-1", "acme/sage-2", "Acme", 1767225000)
    return Opening(stamp=stamp, request={}, new_id=lambda prefix: f"{prefix}{next(numbers)}", debug=debug)


def tool(name: str, id_: str = "call_1") -> ToolCall:
    return ToolCall(id=id_, name=name, arguments=Raw(b'""'))


def grew(part: int, text: str) -> Grew:
    return Grew(part, raw(text))


def written(events: Iterable[Event], metadata: Raw | None = None) -> bytes:
    """The whole stream that these events make."""
    stream = writer(opening())
    return b"".join([*(stream.write(event) for event in events), stream.end(BILL, metadata)])


def frames(out: bytes) -> list[tuple[str, Any]]:
    """The events in what went out, each with its name, which is also its type."""
    found = FrameReader().feed(out)
    assert out.count(b"\n") == 3 * len(found), "every event is three lines"
    said = [((frame.event or b"").decode(), json.loads(frame.data)) for frame in found]
    assert all(name == data["type"] for name, data in said)
    return said


def message(out: bytes) -> dict[str, Any]:
    """The message that a strict client makes of a stream."""
    events = [(name, data) for name, data in frames(out) if name != "ping"]
    assert [name for name, _ in events[-2:]] == ["message_delta", "message_stop"]
    name, begin = events[0]
    assert name == "message_start"
    made = begin["message"]
    assert made["usage"].keys() == USAGE_KEYS
    assert made.keys() == {"id", "type", "role", "model", "content", "usage"} | ENDING_KEYS
    is_open = False
    for name, data in events[1:-2]:
        at = len(made["content"]) - is_open
        assert data["index"] == at, "blocks are numbered from 0, and one is open at a time"
        if name == "content_block_start":
            assert not is_open
            made["content"].append(data["content_block"])
            is_open = True
        elif name == "content_block_delta":
            assert is_open
            _grow(made["content"][at], data["delta"])
        else:
            assert (name, is_open) == ("content_block_stop", True)
            is_open = False
    assert not is_open
    last = events[-2][1]
    assert last["delta"].keys() == ENDING_KEYS
    assert all(last["usage"][name] is not None for name in ("input_tokens", "output_tokens"))
    return {**made, **last["delta"], "usage": made["usage"] | last["usage"], "stop": events[-1][1]}


def _grow(block: dict[str, Any], delta: dict[str, Any]) -> None:
    """What each kind of delta does, and to which kind of block."""
    match block["type"], delta:
        case "text", {"type": "text_delta", "text": text}:
            block["text"] += text
        case "text", {"type": "citations_delta", "citation": citation}:
            block["citations"] = [*(block["citations"] or []), citation]
        case "thinking", {"type": "thinking_delta", "thinking": text}:
            assert block["signature"] == "", "the signature comes last"
            block["thinking"] += text
        case "thinking", {"type": "signature_delta", "signature": signature}:
            assert block["signature"] == ""
            block["signature"] = signature
        case "tool_use", {"type": "input_json_delta", "partial_json": text}:
            block["partial"] = block.get("partial", "") + text
        case _:
            raise AssertionError(block, delta)


def blocks(events: Sequence[Event]) -> list[Any]:
    """The blocks of the message that these events make, in short: a text, a thought, or a call with its arguments."""
    return [_short(block) for block in message(written(events))["content"]]


def _short(block: dict[str, Any]) -> Any:
    match block:
        case {"type": "text", "text": text}:
            return text
        case {"type": "thinking", "thinking": text, "signature": signature}:
            return ("thought", text, signature)
        case {"type": "tool_use", "name": name}:
            return (name, block.get("partial", ""))
        case _:
            return block


# --- what goes out, to the byte ------------------------------------------------------------------------------


def test_a_text_is_written_event_by_event() -> None:
    stream = writer(opening())
    partial = Usage(input_tokens=12, cached_tokens=2, cache_write_tokens=3)
    silent = [Began("chatcmpl-1", "default"), Counted(partial, final=False), PartBegan(0, TEXT), grew(0, "")]
    assert [stream.write(event) for event in silent] == [b""] * 4
    assert stream.write(Grew(0, Raw(rb'"Hi \ud83d"'))) == (
        b'event: message_start\ndata: {"type":"message_start","message":{"id":"msg_1","type":"message",'
        b'"role":"assistant","model":"acme/sage-2","content":[],"stop_reason":null,"stop_sequence":null,'
        b'"stop_details":null,"container":null,"usage":{"input_tokens":7,"output_tokens":0,'
        b'"cache_creation_input_tokens":3,"cache_read_input_tokens":2,"service_tier":"standard",'
        b'"output_tokens_details":{"thinking_tokens":0},"server_tool_use":null,'
        b'"cache_creation":{"ephemeral_5m_input_tokens":3,"ephemeral_1h_input_tokens":0},"inference_geo":null}}}\n\n'
        b'event: content_block_start\ndata: {"type":"content_block_start","index":0,'
        b'"content_block":{"type":"text","text":"","citations":null}}\n\n'
        b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
        b'"delta":{"type":"text_delta","text":"Hi \\ud83d"}}\n\n'
    )
    assert stream.write(Grew(0, Raw(rb'"\ude00"'))) == (
        b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
        b'"delta":{"type":"text_delta","text":"\\ude00"}}\n\n'
    )
    assert stream.write(PartEnded(0)) == (
        b'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\n'
    )
    assert stream.write(STOP) == b""
    assert stream.write(Counted(USAGE)) == b""
    assert stream.end(BILL, Raw(b'{"a":1}')) == (
        b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn",'
        b'"stop_sequence":null,"stop_details":null,"container":null},"usage":{"input_tokens":7,"output_tokens":5,'
        b'"cache_creation_input_tokens":3,"cache_read_input_tokens":2,"output_tokens_details":{"thinking_tokens":1},'
        b'"server_tool_use":null,"cost":0.00014,"is_byok":true,"cost_details":{"upstream_inference_cost":0.00014,'
        b'"upstream_inference_prompt_cost":0.0001,"upstream_inference_completions_cost":0.00004}}}\n\n'
        b'event: message_stop\ndata: {"type":"message_stop","openrouter_metadata":{"a":1}}\n\n'
    )


def test_a_call_begins_at_once_and_its_arguments_go_out_as_they_come() -> None:
    stream = writer(opening())
    begin = stream.write(PartBegan(0, tool("f", "")))
    assert frames(begin)[1][1]["content_block"] == {
        "type": "tool_use",
        "id": "toolu_1",
        "name": "f",
        "input": {},
        "caller": {"type": "direct"},
    }
    assert b'"partial_json":"{\\"a\\": \\"\\\\"}}' in stream.write(Grew(0, Raw(rb'"{\"a\": \"\\"')))
    assert b'"partial_json":"\\ud83d"}}' in stream.write(Grew(0, Raw(rb'"\ud83d"')))


def test_an_answer_without_a_word_has_a_beginning_and_an_end() -> None:
    said = message(written([PartBegan(0, TEXT), PartEnded(0), STOP]))
    assert (said["content"], said["stop_reason"], said["id"]) == ([], "end_turn", "msg_1")


def test_what_went_upstream_comes_first_for_a_caller_who_asks_to_see_it() -> None:
    given = opening(debug=((Stamp("gen-1", "m", "Acme", 0), Raw(b'{"model":\n"sage", "top_k":1.50}')),))
    out = writer(given).end(BILL, None)
    assert out.startswith(
        b'event: ping\ndata: {"type":"ping","debug":{"echo_upstream_body":{"model": "sage", "top_k":1.50}}}'
    )
    assert [name for name, _ in frames(out)] == ["ping", "message_start", "message_delta", "message_stop"]


@pytest.mark.parametrize("begun", [False, True], ids=["at once", "in the middle"])
def test_a_broken_stream_ends_with_the_error_event_and_nothing_else(begun: bool) -> None:
    stream = writer(opening())
    if begun:
        stream.write(PartBegan(0, TEXT))
        stream.write(grew(0, "a"))
    ((name, data),) = frames(stream.fail(ProviderError("provider_overloaded", "busy"), Raw(b'{"a":1}')))
    assert name == "error"
    assert data["error"] == {"type": "overloaded_error", "message": "busy", "error_type": "provider_overloaded"}
    assert (data["request_id"], data["openrouter_metadata"]) == ("gen-1", {"a": 1})


# --- parts and blocks ----------------------------------------------------------------------------------------


def test_reasoning_ends_with_one_signature_when_there_is_one() -> None:
    sealed = [PartBegan(0, THOUGHT), grew(0, "hm"), Sealed(0, raw("ab")), Sealed(0, raw("c")), PartEnded(0)]
    ((_, text, signature),) = blocks([*sealed, STOP])
    assert text == "hm"
    assert read_seal(raw(signature)) == structs.replace(THOUGHT, seal=raw("abc"))
    own = structs.replace(THOUGHT, maker="messages")
    assert blocks([PartBegan(0, own), *sealed[1:], STOP]) == [("thought", "hm", "abc")]
    assert blocks([PartBegan(0, own), grew(0, "hm"), PartEnded(0), STOP]) == [("thought", "hm", "")]
    assert blocks([PartBegan(0, own), Sealed(0, raw("c")), PartEnded(0), STOP]) == [("thought", "", "c")]
    assert blocks([PartBegan(0, own), PartEnded(0), STOP]) == []
    named = Reasoning(kind="summary", maker="responses", id="rs_1")
    ((_, text, signature),) = blocks([PartBegan(0, named), PartEnded(0), STOP])
    assert (text, read_seal(raw(signature))) == ("", named)


def test_reasoning_that_only_its_maker_can_read_is_one_whole_block() -> None:
    step = Reasoning(kind="encrypted", maker="responses", id="rs_1")
    events = [PartBegan(0, step), Sealed(0, raw("x")), grew(0, "no word"), Sealed(0, raw("y")), PartEnded(0), STOP]
    seal = write_seal(structs.replace(step, seal=raw("xy")), "messages")
    assert blocks(events) == [{"type": "redacted_thinking", "data": value(seal)}]


def test_a_refusal_is_a_text_and_a_medium_is_nothing() -> None:
    refusal = [PartBegan(0, Refusal(text=Raw(b'""'))), grew(0, "No."), PartEnded(0)]
    medium = [PartBegan(1, Media(kind="image", data=raw("AA"))), PartEnded(1)]
    others = [Scored(Raw(b"[]")), Unsaid("audio")]
    ending = Finished(Finish(reason="content_filter", native="x", details=Raw(b'{"type":"refusal"}')))
    said = message(written([*refusal, *medium, *others, ending]))
    assert [_short(block) for block in said["content"]] == ["No."]
    assert (said["stop_reason"], said["stop_details"]) == ("refusal", {"type": "refusal"})


def test_sources_are_said_where_they_lead_somewhere() -> None:
    events = [
        PartBegan(0, TEXT),
        Cited(0, Citation(url=raw("https://a.example"))),
        grew(0, "So."),
        Cited(0, Citation(title=raw("nowhere"))),
        PartEnded(0),
        STOP,
    ]
    (block,) = message(written(events))["content"]
    assert block["text"] == "So."
    assert [citation["url"] for citation in block["citations"]] == ["https://a.example"]


def test_a_source_makes_no_block_of_its_own() -> None:
    source = Cited(0, Citation(url=raw("https://a.example")))
    assert blocks([PartBegan(0, TEXT), source, PartEnded(0), STOP]) == []
    late = [PartBegan(0, TEXT), grew(0, "So."), PartBegan(1, tool("a")), source, grew(1, "{}"), PartEnded(1)]
    assert blocks([*late, PartEnded(0), CALLED]) == ["So.", ("a", "{}")]


def test_the_stop_sequence_that_matched_is_said() -> None:
    said = message(written([Finished(Finish(reason="stop", native="stop", stop_sequence=raw("END")))]))
    assert (said["stop_reason"], said["stop_sequence"]) == ("stop_sequence", "END")


# --- parts that grow side by side ----------------------------------------------------------------------------


def test_calls_that_come_one_behind_the_other_are_each_live_at_once() -> None:
    stream = writer(opening())
    stream.write(PartBegan(0, tool("a")))
    stream.write(grew(0, '{"x":'))
    stream.write(grew(0, "1}"))
    second = stream.write(PartBegan(1, tool("b")))
    assert [name for name, _ in frames(second)] == ["content_block_stop", "content_block_start"]
    assert stream.write(grew(1, "{}")) != b""
    assert stream.write(PartEnded(0)) == b""


def test_a_call_waits_while_the_one_before_it_is_not_complete() -> None:
    stream = writer(opening())
    stream.write(PartBegan(0, tool("a")))
    waiting = [PartBegan(1, tool("b")), grew(1, "{"), PartBegan(2, tool("c")), grew(2, "{}"), grew(1, "}")]
    assert [stream.write(event) for event in waiting] == [b""] * 5
    out = stream.write(grew(0, '{"x":1}'))
    starts = [data["content_block"]["name"] for name, data in frames(out) if name == "content_block_start"]
    assert starts == ["b", "c"]
    assert stream.write(PartEnded(2)) != b""


def test_calls_that_never_become_complete_are_written_in_their_order_when_they_end() -> None:
    begun = [PartBegan(0, tool("a")), PartBegan(1, tool("b")), PartBegan(2, TEXT)]
    said = [grew(0, '{"x'), grew(1, '{"y'), grew(2, "text"), grew(0, '":'), grew(1, '":')]
    ended = [PartEnded(0), PartEnded(1), PartEnded(2)]
    expected = [("a", '{"x":'), ("b", '{"y":'), "text"]
    assert blocks([*begun, *said, *ended, CALLED]) == expected
    assert blocks([*begun, *said, CALLED]) == expected


@pytest.mark.parametrize(
    "pieces",
    [
        ['{"a":"}', '"}'],
        ['{"a":"\\', '"}', '"}'],
        ['{"a":"\\\\', '"}'],
        ['{"a":[{', "}]", "}"],
        ['{"a\ud83d', '\ude00":1}'],
        ['["', '\\u007d"', "]"],
        ["", " ", '{"a":{}', " ", "}"],
    ],
)
def test_arguments_are_complete_with_their_last_bracket_wherever_they_are_cut(pieces: list[str]) -> None:
    stream = writer(opening())
    stream.write(PartBegan(0, tool("a")))
    stream.write(PartBegan(1, tool("b")))
    out = [stream.write(grew(0, piece)) for piece in pieces]
    assert [b"content_block_stop" in written for written in out] == [False] * (len(pieces) - 1) + [True]


def test_of_what_comes_behind_complete_arguments_only_white_space_is_dropped() -> None:
    stream = writer(opening())
    for event in (PartBegan(0, tool("a")), grew(0, "{}"), PartBegan(1, tool("b"))):
        stream.write(event)
    assert stream.write(grew(0, " \n\t\r")) == b""
    with pytest.raises(ProviderError, match="malformed") as caught:
        stream.write(grew(0, "}"))
    assert caught.value.type == "provider_unavailable"


def test_what_looks_complete_goes_on_while_nobody_waits() -> None:
    assert blocks([PartBegan(0, tool("a")), grew(0, "{}"), grew(0, "{}"), PartEnded(0), CALLED]) == [("a", "{}{}")]


def test_free_text_for_a_tool_is_never_complete_before_it_ends() -> None:
    custom = structs.replace(tool("a"), kind="custom")
    begun = [PartBegan(0, custom), grew(0, "f {}"), PartBegan(1, tool("b")), grew(0, " g")]
    assert blocks([*begun, PartEnded(0), grew(1, "{}"), PartEnded(1), CALLED]) == [
        ("a", '{"input":"f {} g"}'),
        ("b", "{}"),
    ]


def test_a_text_that_goes_on_behind_a_call_goes_on_in_a_block_of_its_own() -> None:
    events = [
        *(PartBegan(0, TEXT), grew(0, "Let me "), PartBegan(1, tool("a")), grew(1, "{"), grew(0, "see"), grew(0, ".")),
        *(grew(1, "}"), PartEnded(1), PartEnded(0), CALLED),
    ]
    assert blocks(events) == ["Let me ", ("a", "{}"), "see."]


def test_a_text_that_has_not_begun_to_speak_closes_nothing() -> None:
    events = [
        *(PartBegan(0, THOUGHT), grew(0, "hm"), PartBegan(1, TEXT), Sealed(0, raw("s")), grew(1, "Hi")),
        *(PartEnded(0), PartEnded(1), STOP),
    ]
    (_, text, signature), said = blocks(events)
    assert (text, said) == ("hm", "Hi")
    assert read_seal(raw(signature)) == structs.replace(THOUGHT, seal=raw("s"))


_SCALARS = st.integers() | st.text(st.characters(codec=None, exclude_categories=()), max_size=4) | st.booleans()
_ARGUMENTS = st.dictionaries(
    st.text(max_size=3), st.recursive(_SCALARS, lambda inner: st.lists(inner, max_size=2), max_leaves=4), max_size=3
)
_SPOKEN = st.sampled_from(["text", "thought", "call"])


@st.composite
def interleaved(draw: st.DrawFn) -> tuple[list[tuple[str, str]], list[Event]]:
    """Some parts with all that they say, and events that say it in pieces, side by side."""
    kinds = draw(st.lists(_SPOKEN, min_size=1, max_size=4))
    parts: list[tuple[str, str]] = []
    lines: list[list[Event]] = []
    for number, kind in enumerate(kinds):
        if kind == "call":
            ascii_ = draw(st.booleans())
            said = json.dumps(draw(_ARGUMENTS), ensure_ascii=ascii_) + draw(st.sampled_from(["", " ", "\n"]))
        else:
            said = "wxyz"[number] * draw(st.integers(1, 6))
        head = {"text": TEXT, "thought": THOUGHT, "call": tool(f"f{number}")}[kind]
        cuts = sorted(draw(st.lists(st.integers(0, len(said)), max_size=4)))
        pieces = [said[start:stop] for start, stop in zip([0, *cuts], [*cuts, len(said)], strict=True)]
        parts.append((kind, said))
        lines.append([PartBegan(number, head), *(grew(number, piece) for piece in pieces), PartEnded(number)])
    events: list[Event] = []
    begun = 0
    while any(lines):
        # A part is begun only when those before it are: parts are numbered in the order in which they begin.
        ready = [line for at, line in enumerate(lines) if line and at <= begun]
        line = draw(st.sampled_from(ready))
        begun += isinstance(line[0], PartBegan)
        events.append(line.pop(0))
    return parts, [*events, STOP, Counted(USAGE)]


@given(interleaved())
def test_whatever_grows_side_by_side_is_said_whole_one_block_at_a_time(
    case: tuple[list[tuple[str, str]], list[Event]],
) -> None:
    parts, events = case
    said = blocks(events)
    arguments = {block[0]: block[1] for block in said if block[0][0] == "f"}
    texts = "".join(block for block in said if isinstance(block, str))
    thoughts = "".join(block[1] for block in said if block[0] == "thought")
    for number, (kind, whole) in enumerate(parts):
        if kind == "call":
            assert arguments[f"f{number}"].strip() == whole.strip()
        else:
            assert (texts if kind == "text" else thoughts).count(whole[0]) == len(whole)


# --- both ends -----------------------------------------------------------------------------------------------

_RAW_TEXT = st.text(st.characters(codec=None, exclude_categories=()), min_size=1, max_size=5).map(raw)
_COUNTS = st.integers(0, 10**6)
_CITATIONS = st.builds(Citation, url=_RAW_TEXT, title=_RAW_TEXT, quoted=_RAW_TEXT)
_STEPS = st.builds(
    Reasoning,
    kind=st.sampled_from(["text", "summary"]),
    text=_RAW_TEXT,
    seal=st.none() | _RAW_TEXT,
    maker=st.sampled_from(["chat", "messages", "responses"]),
    format=st.none() | st.just("openai-responses-v1"),
    id=st.none() | st.just("rs_1"),
) | st.builds(
    Reasoning, kind=st.just("encrypted"), seal=_RAW_TEXT, maker=st.sampled_from(["chat", "messages", "responses"])
)
_CALLS = st.builds(
    ToolCall,
    id=st.sampled_from(["call_1", "toolu_1"]),
    name=st.sampled_from(["f", "get_weather"]),
    arguments=_ARGUMENTS.map(lambda given: raw(json.dumps(given))),
)


def _usage(counts: tuple[int, ...]) -> Usage:
    plain, output, cached, written, thought = counts
    return Usage(
        input_tokens=plain + cached + written,
        output_tokens=output,
        cached_tokens=cached,
        cache_write_tokens=written,
        reasoning_tokens=thought,
    )


_RESULTS = st.builds(
    Result,
    parts=st.lists(
        st.builds(Text, text=_RAW_TEXT, citations=st.lists(_CITATIONS, max_size=2).map(tuple))
        | st.builds(Refusal, text=_RAW_TEXT)
        | _STEPS
        | _CALLS,
        max_size=5,
    ).map(tuple),
    finish=st.sampled_from(
        [
            Finish(reason="stop", native="end_turn"),
            Finish(reason="stop", native="stop_sequence", stop_sequence=raw("END")),
            Finish(reason="length", native="max_tokens"),
            Finish(reason="tool_calls", native="tool_use"),
            Finish(reason="content_filter", native="refusal", details=Raw(b'{"type":"refusal"}')),
        ]
    ),
    usage=st.tuples(*[_COUNTS] * 5).map(_usage),
    provider_cost=st.none(),
    service_tier=st.sampled_from([None, "default", "priority"]),
)


def _expected(part: Part) -> Part:
    """A part as it comes back: what the protocol has no words for is said in its own, with the maker in the seal."""
    match part:
        case Refusal(text=text):
            return Text(text=text)
        case Reasoning(kind=kind, text=text):
            seal = write_seal(part, "messages")
            return Reasoning(
                kind="encrypted" if kind == "encrypted" else "text",
                text=text,
                seal=None if seal == Raw(b'""') else seal,
                maker="messages",
                format="anthropic-claude-v1",
            )
        case _:
            return part


@given(_RESULTS)
def test_an_answer_that_is_written_and_read_again_is_the_same(result: Result) -> None:
    assert result.usage is not None
    stream, back, fold = writer(opening()), reader(), Fold()
    out = b"".join(stream.write(event) for event in unfold(result))
    out += stream.end(Bill(result.usage, None, Decimal("0.5")), None)
    for frame in FrameReader().feed(out):
        for event in back.read(frame):
            fold.add(event)
    assert fold.result() == structs.replace(
        result,
        parts=tuple(_expected(part) for part in result.parts),
        provider_cost=Decimal("0.5"),
        upstream_id="msg_1",
    )
    assert back.done


@given(_RESULTS)
def test_an_answer_that_is_streamed_is_the_answer_that_is_written_whole(result: Result) -> None:
    assert result.usage is not None
    bill = Bill(result.usage, None, None)
    stream = writer(opening())
    streamed = message(b"".join(stream.write(event) for event in unfold(result)) + stream.end(bill, None))
    whole = value(Raw(write_result(result, opening(), bill, None)))
    for block in streamed["content"]:
        if "partial" in block:
            block["input"] = json.loads(block.pop("partial"))
    assert streamed["content"] == whole["content"]
    for name in ("stop_reason", "stop_sequence", "stop_details", "container", "model", "role", "type"):
        assert streamed[name] == whole[name]
    for name in whole["usage"].keys() - {"cache_creation"}:  # told only where a stream begins
        assert streamed["usage"][name] == whole["usage"][name]
