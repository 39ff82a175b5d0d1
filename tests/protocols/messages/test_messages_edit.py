"""Streams of the messages protocol where both sides speak it: what is filled in, and what keeps its bytes."""

from __future__ import annotations

import json
from decimal import Decimal
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw, structs

from setpoint.canonical.fold import Fold
from setpoint.canonical.usage import Usage
from setpoint.errors import GatewayError, ProviderError
from setpoint.protocols.answer import Bill, Opening, Outcome, Stamp, StreamFailedError
from setpoint.protocols.messages.edit import MessagesStream, edit_stream
from setpoint.protocols.messages.reader import reader
from setpoint.records import Cost
from setpoint.wire.sse import Frame, FrameReader

if TYPE_CHECKING:
    from collections.abc import Iterable

    from setpoint.canonical.result import Result

COST = Cost(prompt=Decimal("0.0001"), completion=Decimal("0.00004"), total=Decimal("0.00014"))
BILL = Bill(Usage(input_tokens=45, output_tokens=15, cached_tokens=16, cache_write_tokens=4), COST, COST.total)
UNKNOWN = Bill(Usage(input_tokens=2, output_tokens=1, estimated=True), None, None)

START = """event: message_start
data: {"type":"message_start","message":{"id":"msg_01XFD","type":"message","role":"assistant","model":"sage-2","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":25,"cache_creation_input_tokens":4,"cache_read_input_tokens":16,"cache_creation":{"ephemeral_5m_input_tokens":4,"ephemeral_1h_input_tokens":0},"output_tokens":1,"service_tier":"standard"}}}

"""  # noqa: E501 one event is one line

BLOCKS = r"""event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}      }

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"Let me see."}    }

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"EqQBCgIYAhIM"}          }

event: content_block_stop
data: {"type":"content_block_stop","index":0  }

event: content_block_start
data: {"type":"content_block_start","index":1,"content_block":{"type":"redacted_thinking","data":"EmwKAhgBEgy3"}}

event: content_block_stop
data: {"type":"content_block_stop","index":1}

event: content_block_start
data: {"type":"content_block_start","index":2,"content_block":{"type":"text","text":""}}

event: ping
data: {"type": "ping"}

event: content_block_delta
data: {"type":"content_block_delta","index":2,"delta":{"type":"text_delta","text":"Hi \ud83d"}}

event: content_block_delta
data: {"type":"content_block_delta","index":2,"delta":{"type":"text_delta","text":"\ude00 ✓","x_new":1.50}}

event: content_block_delta
data: {"type":"content_block_delta","index":2,"delta":{"type":"citations_delta","citation":{"type":"char_location","document_index":0}}}

event: content_block_stop
data: {"type":"content_block_stop","index":2}

event: content_block_start
data: {"type":"content_block_start","index":3,"content_block":{"type":"tool_use","id":"toolu_01T","name":"get_weather","input":{}}}

event: content_block_delta
data: {"type":"content_block_delta","index":3,"delta":{"type":"input_json_delta","partial_json":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":3,"delta":{"type":"input_json_delta","partial_json":"{\"city\": \"Par\\"}}

event: content_block_delta
data: {"type":"content_block_delta","index":3,"delta":{"type":"input_json_delta","partial_json":"\"is\"}"}}

event: content_block_stop
data: {"type":"content_block_stop","index":3}

event: content_block_start
data: {"type":"content_block_start","index":4,"content_block":{"type":"server_tool_use","id":"srvtoolu_1","name":"web_search","input":{}}}

event: content_block_delta
data: {"type":"content_block_delta","index":4,"delta":{"type":"brand_new_delta","x":[1]}}

event: content_block_stop
data: {"type":"content_block_stop","index":4}

event: brand_new
data: {"type":"brand_new","x":{"y":1.50}}

"""  # noqa: E501 one event is one line

END = """event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":15},"context_management":{"applied_edits":[]}}

event: message_stop
data: {"type":"message_stop","x_new":1}

"""  # noqa: E501 one event is one line

# Each half of a pair counts as the three bytes that it would be by itself.
SPOKEN_BYTES = len("Let me see.") + len("Hi ...... ...") + len('{"city": "Par\\"is"}')


def opening(debug: tuple[tuple[Stamp, Raw], ...] = ()) -> Opening:
    numbers = count(1)
    stamp = Stamp("gen-1", "acme/sage-2", "Acme", 1767225000)
    return Opening(stamp=stamp, request={}, new_id=lambda prefix: f"{prefix}{next(numbers)}", debug=debug)


def edited(pieces: Iterable[bytes], bill: Bill = BILL, metadata: Raw | None = None) -> tuple[bytes, Outcome]:
    """What the client gets of a complete stream that comes in these pieces, and what is known of it."""
    frames, stream = FrameReader(), edit_stream(opening())
    out = b"".join(stream.read(frame) for piece in pieces for frame in frames.feed(piece))
    assert stream.terminal
    return out + stream.end(bill, metadata), stream.outcome


def said(out: bytes) -> list[Any]:
    """The data of every event that went out; each has its type as its name."""
    found = FrameReader().feed(out)
    assert out.count(b"\n") == 3 * len(found), "every event is three lines"
    told = [json.loads(frame.data) for frame in found]
    assert [frame.event for frame in found] == [data["type"].encode() for data in told]
    return told


def meaning(out: bytes) -> Result:
    stream, fold = reader(), Fold()
    for frame in FrameReader().feed(out):
        for event in stream.read(frame):
            fold.add(event)
    return fold.result()


def event(kind: str, **members: Any) -> Frame:
    return Frame(kind.encode(), json.dumps({"type": kind, **members}).encode())


def delta(kind: str, **members: Any) -> Frame:
    return event("content_block_delta", index=0, delta={"type": kind, **members})


# --- a whole stream ------------------------------------------------------------------------------------------


def test_a_stream_is_filled_in_and_means_what_it_meant_wherever_it_is_cut() -> None:
    upstream = (START + BLOCKS + END).encode()
    expected = edited([upstream])
    out, _ = expected
    assert meaning(out) == structs.replace(meaning(upstream), provider_cost=COST.total)
    assert edited(upstream[at : at + 1] for at in range(len(upstream))) == expected
    for cut in range(1, len(upstream), 3):
        assert edited([upstream[:cut], upstream[cut:]]) == expected, f"cut at {cut}"


@pytest.mark.parametrize("line_end", ["\r\n", "\r"], ids=["CRLF", "CR"])
def test_line_ends_comments_and_events_without_a_name_are_written_the_usual_way(line_end: str) -> None:
    upstream = START + BLOCKS + END
    unnamed = "\n".join(line for line in upstream.split("\n") if not line.startswith("event:"))
    strange = (": OPENROUTER PROCESSING\n\n" + unnamed).replace("\n", line_end)
    assert edited([strange.encode()]) == edited([upstream.encode()])


def test_every_delta_keeps_its_bytes_and_so_does_every_event_that_lacks_nothing() -> None:
    out, _ = edited([(START + BLOCKS + END).encode()])
    changed = ("message_start", "message_delta", "message_stop", '"type":"text","text":""', '"toolu_01T"')
    kept = [frame for frame in BLOCKS.split("\n\n") if frame and not any(word in frame for word in changed)]
    assert len(kept) == 19
    at = 0
    for frame in kept:
        at = out.index(frame.encode() + b"\n\n", at)


def test_what_is_known_of_the_answer() -> None:
    _, outcome = edited([(START + BLOCKS + END).encode()])
    assert outcome.output_bytes == SPOKEN_BYTES + len("get_weather" + "{}" + "web_search" + "{}")
    assert structs.replace(outcome, output_bytes=0) == Outcome(
        upstream_id="msg_01XFD",
        finish_reason="tool_calls",
        native_finish_reason="tool_use",
        service_tier="default",
        usage=BILL.usage,
        partial=Usage(input_tokens=45, output_tokens=1, cached_tokens=16, cache_write_tokens=4),
    )


# --- what is filled in ---------------------------------------------------------------------------------------


def test_the_beginning_has_all_keys_that_clients_need_and_our_model() -> None:
    (begin,) = said(edit_stream(opening()).read(Frame(None, START.split("data: ")[1].strip().encode())))
    message = begin["message"]
    usage = message.pop("usage")
    assert message == {
        "id": "msg_01XFD",
        "type": "message",
        "role": "assistant",
        "model": "acme/sage-2",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "stop_details": None,
        "container": None,
    }
    assert usage == {
        "input_tokens": 25,
        "output_tokens": 1,
        "cache_creation_input_tokens": 4,
        "cache_read_input_tokens": 16,
        "cache_creation": {"ephemeral_5m_input_tokens": 4, "ephemeral_1h_input_tokens": 0},
        "output_tokens_details": {"thinking_tokens": 0},
        "server_tool_use": None,
        "service_tier": "standard",
        "inference_geo": None,
    }


def test_a_beginning_that_says_nothing_is_filled_in_whole() -> None:
    (begin,) = said(edit_stream(opening()).read(event("message_start", message={"usage": None}, x_new=1)))
    assert begin["x_new"] == 1
    assert (begin["message"]["id"], begin["message"]["role"], begin["message"]["content"]) == ("msg_1", "assistant", [])
    assert len(begin["message"]["usage"]) == 9


def test_a_beginning_tells_no_cost_no_provider_and_no_iterations_that_are_none() -> None:
    usage: dict[str, Any] = {"input_tokens": 1, "cost": 0.1, "is_byok": False, "cost_details": {}}
    usage |= {"iterations": {}, "x_new": 2}
    told: dict[str, Any] = {"id": "m", "role": "user", "model": "x", "provider": "Acme", "x_new": 1, "usage": usage}
    told["openrouter_metadata"] = {"theirs": 1}
    (begin,) = said(edit_stream(opening()).read(event("message_start", message=told)))
    assert begin["message"].keys().isdisjoint({"provider", "openrouter_metadata"})
    assert (begin["message"]["x_new"], begin["message"]["role"]) == (1, "assistant")
    assert begin["message"]["usage"].keys().isdisjoint({"cost", "is_byok", "cost_details", "iterations"})
    assert begin["message"]["usage"]["x_new"] == 2


@pytest.mark.parametrize(
    ("block", "filled"),
    [
        ({"type": "text", "text": ""}, {"citations": None}),
        ({"type": "text", "text": "", "citations": []}, {}),
        ({"type": "tool_use", "id": "t", "name": "f", "input": {}}, {"caller": {"type": "direct"}}),
        ({"type": "tool_use", "id": "t", "name": "f", "input": {}, "caller": {"type": "x"}}, {}),
        ({"type": "tool_use", "name": "f", "input": {}, "caller": {"type": "x"}}, {"id": "toolu_1"}),
        ({"type": "brand_new", "x": 1.5}, {}),
    ],
)
def test_blocks_begin_with_the_keys_that_clients_need(block: dict[str, Any], filled: dict[str, Any]) -> None:
    frame = event("content_block_start", index=0, content_block=block)
    begin, start = said(edit_stream(opening()).read(frame))
    assert begin["type"] == "message_start"
    assert start == {"type": "content_block_start", "index": 0, "content_block": {**block, **filled}}


def test_the_end_has_the_usage_with_its_cost_and_what_the_upstream_said_beside() -> None:
    out, _ = edited([(START + END).encode()], metadata=Raw(b'{"a":1}'))
    last, stop = said(out)[-2:]
    usage = last.pop("usage")
    assert last == {
        "type": "message_delta",
        "delta": {"stop_reason": "tool_use", "stop_sequence": None, "stop_details": None, "container": None},
        "context_management": {"applied_edits": []},
    }
    assert {name: usage[name] for name in ("input_tokens", "output_tokens", "cost", "is_byok", "server_tool_use")} == {
        "input_tokens": 25,
        "output_tokens": 15,
        "cost": 0.00014,
        "is_byok": True,
        "server_tool_use": None,
    }
    assert usage["cost_details"]["upstream_inference_cost"] == 0.00014
    assert stop == {"type": "message_stop", "x_new": 1, "openrouter_metadata": {"a": 1}}


def test_metadata_of_the_upstreams_own_is_not_ours() -> None:
    stream = edit_stream(opening())
    stream.read(event("message_stop", openrouter_metadata={"theirs": 1}))
    assert said(stream.end(UNKNOWN, None))[-1] == {"type": "message_stop"}


def test_what_the_beginning_says_of_the_end_holds_unless_the_end_says_more() -> None:
    stream = edit_stream(opening())
    stream.read(event("message_start", message={"container": {"id": "c"}, "stop_details": {"x": 1}}))
    stream.read(event("message_delta", delta={"stop_reason": "refusal", "container": None, "stop_details": {"x": 2}}))
    assert said(stream.end(UNKNOWN, None))[0]["delta"] == {
        "stop_reason": "refusal",
        "stop_sequence": None,
        "stop_details": {"x": 2},
        "container": {"id": "c"},
    }


def test_of_several_message_deltas_one_goes_out_with_the_last_word_on_each_key() -> None:
    stream = edit_stream(opening())
    stream.read(event("message_start", message={"usage": {"input_tokens": 9, "output_tokens": 0}}))
    first = event("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 2, "x": 1}, a=1, b=1)
    last = event("message_delta", delta={"stop_reason": "stop_sequence", "stop_sequence": "END"}, b=2)
    assert [stream.read(frame) for frame in (first, last, event("message_stop"))] == [b""] * 3
    held, _ = said(stream.end(BILL, None))
    assert (held["delta"]["stop_reason"], held["delta"]["stop_sequence"]) == ("stop_sequence", "END")
    assert (held["a"], held["b"], held["usage"]["x"]) == (1, 2, 1)
    assert stream.outcome.usage == Usage(input_tokens=9, output_tokens=2)
    assert (stream.outcome.finish_reason, stream.outcome.native_finish_reason) == ("stop", "stop_sequence")


def test_what_went_upstream_comes_before_the_message() -> None:
    given = opening(debug=((Stamp("gen-1", "m", "Acme", 0), Raw(b'{"model":"sage"}')),))
    ping, begin = said(edit_stream(given).read(event("message_start", message={})))
    assert ping == {"type": "ping", "debug": {"echo_upstream_body": {"model": "sage"}}}
    assert begin["type"] == "message_start"


# --- upstreams that are not quite right ----------------------------------------------------------------------


def test_a_second_beginning_with_another_id_and_model_is_left_out() -> None:
    again = (
        START.replace("msg_01XFD", "msg_other")
        .replace("sage-2", "else")
        .replace('output_tokens":1', 'output_tokens":9')
    )
    first, rest = BLOCKS.split("event: ping", 1)
    twice = (START + first + again + "event: ping" + rest + END).encode()
    assert edited([twice]) == edited([(START + BLOCKS + END).encode()])


def test_a_beginning_that_is_left_out_is_made_up() -> None:
    for frame in (delta("text_delta", text="a"), event("content_block_stop", index=0)):
        stream = edit_stream(opening())
        begin, _ = said(stream.read(frame))
        assert (begin["type"], begin["message"]["id"]) == ("message_start", "msg_1")
        assert len(said(stream.read(frame))) == 1
    assert [data["type"] for data in said(edit_stream(opening()).end(UNKNOWN, None))] == [
        "message_start",
        "message_delta",
        "message_stop",
    ]


def test_the_type_of_an_event_that_only_its_name_tells_is_put_into_the_data() -> None:
    stream = edit_stream(opening())
    stream.read(event("message_start", message={}))
    assert stream.read(Frame(b"content_block_stop", b'{"index": 0}')) == (
        b'event: content_block_stop\ndata: {"index":0,"type":"content_block_stop"}\n\n'
    )


def test_line_ends_inside_of_an_event_become_spaces() -> None:
    stream = edit_stream(opening())
    assert stream.read(Frame(None, b'{"type":"brand_new",\n"x":\r1}')) == (
        b'event: brand_new\ndata: {"type":"brand_new", "x": 1}\n\n'
    )


@pytest.mark.parametrize(
    "frame",
    [
        Frame(None, b"[DONE]"),
        Frame(b"ping", b""),
        Frame(None, b'{"x":1}'),
        Frame(b"\xff", b"{}"),
        Frame(None, b'{"type":"x\\n\\ndata: y"}'),
    ],
)
def test_what_is_no_event_that_a_client_could_know_is_left_out(frame: Frame) -> None:
    stream = edit_stream(opening())
    assert stream.read(frame) == b""
    assert not stream.terminal


def test_what_comes_behind_the_end_is_ignored() -> None:
    frames, stream = FrameReader(), edit_stream(opening())
    for frame in frames.feed((START + END).encode()):
        stream.read(frame)
    outcome = structs.replace(stream.outcome)
    late = [*frames.feed((START + BLOCKS + END).encode()), Frame(b"error", b'{"type":"error"}'), Frame(None, b"x")]
    assert [stream.read(frame) for frame in late] == [b""] * len(late)
    assert stream.outcome == outcome


# --- when it begins and when it ends -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "frame",
    [
        delta("text_delta", text="x"),
        delta("thinking_delta", thinking="x"),
        delta("input_json_delta", partial_json="{"),
        event("content_block_start", index=0, content_block={"type": "tool_use", "id": "t", "name": "f", "input": {}}),
        event("content_block_start", index=0, content_block={"type": "redacted_thinking", "data": "x"}),
        event("content_block_start", index=0, content_block={"type": "text", "text": "x"}),
        event("message_delta", delta={"stop_reason": "end_turn"}),
    ],
)
def test_the_first_thing_said_is_meaningful(frame: Frame) -> None:
    stream = edit_stream(opening())
    stream.read(frame)
    assert stream.meaningful


@pytest.mark.parametrize(
    "frame",
    [
        event("message_start", message={"usage": {"input_tokens": 1, "output_tokens": 1}}),
        event("ping"),
        event("brand_new", text="x"),
        event("content_block_start", index=0, content_block={"type": "text", "text": ""}),
        event("content_block_start", index=0, content_block={"type": "thinking", "thinking": "", "signature": ""}),
        delta("text_delta", text=""),
        delta("input_json_delta", partial_json=""),
        event("message_delta", delta={"stop_reason": None}, usage={"output_tokens": 0}),
    ],
)
def test_a_beginning_a_ping_or_an_empty_text_is_not_meaningful(frame: Frame) -> None:
    stream = edit_stream(opening())
    stream.read(frame)
    assert not stream.meaningful
    assert not stream.terminal


def test_only_message_stop_makes_the_answer_complete() -> None:
    stream = edit_stream(opening())
    for frame in FrameReader().feed((START + BLOCKS + END).encode()):
        assert not stream.terminal
        stream.read(frame)
    assert (stream.terminal, stream.done_seen, stream.done) == (True, True, True)


# --- the usage -----------------------------------------------------------------------------------------------


def counted(start: Any, last: Any) -> MessagesStream:
    stream = edit_stream(opening())
    stream.read(event("message_start", message={"usage": start}))
    stream.read(event("message_delta", delta={"stop_reason": "end_turn"}, usage=last))
    stream.read(event("message_stop"))
    return stream


def test_a_usage_that_only_the_end_has_is_the_whole() -> None:
    stream = counted(None, {"input_tokens": 7, "output_tokens": 3, "cost": 0.25, "service_tier": "priority"})
    assert stream.outcome.usage == Usage(input_tokens=7, output_tokens=3)
    assert (stream.outcome.partial, stream.outcome.provider_cost) == (None, Decimal("0.25"))
    assert stream.outcome.service_tier == "priority"
    assert stream.done


def test_a_usage_that_only_the_beginning_has_leaves_the_output_unknown() -> None:
    stream = counted({"input_tokens": 7, "output_tokens": 1}, None)
    assert (stream.outcome.usage, stream.outcome.partial) == (None, Usage(input_tokens=7, output_tokens=1))
    assert (stream.terminal, stream.done) == (True, False)
    usage = said(stream.end(UNKNOWN, None))[-2]["usage"]
    assert (usage["input_tokens"], usage["output_tokens"], usage["cost"]) == (2, 1, None)
    assert "cost_details" not in usage


def test_a_usage_that_never_comes_is_not_known() -> None:
    stream = counted(None, None)
    assert (stream.outcome.usage, stream.outcome.partial, stream.done) == (None, None, False)
    assert said(stream.end(UNKNOWN, None))[-2]["usage"]["output_tokens"] == 1


def test_a_usage_behind_the_end_still_counts_once() -> None:
    stream = counted({"input_tokens": 7, "output_tokens": 1}, None)
    assert stream.read(event("message_delta", usage={"output_tokens": 3})) == b""
    assert stream.read(event("message_delta", usage={"output_tokens": 4})) == b""
    assert stream.outcome.usage == Usage(input_tokens=7, output_tokens=3)
    assert stream.done


# --- what goes wrong -----------------------------------------------------------------------------------------

OVERLOADED = b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"req_1"}'


@pytest.mark.parametrize("before", ["", START, START + BLOCKS], ids=["at once", "after the start", "in the middle"])
def test_an_error_event_ends_the_stream_in_our_own_words(before: str) -> None:
    frames, stream = FrameReader(), edit_stream(opening())
    for frame in frames.feed(before.encode()):
        stream.read(frame)
    with pytest.raises(StreamFailedError) as failed:
        stream.read(Frame(b"error", OVERLOADED))
    assert failed.value.reported == ("overloaded_error", "Overloaded")
    (error,) = said(stream.fail(ProviderError("provider_overloaded", "Acme: Overloaded"), Raw(b'{"a":1}')))
    assert error["error"]["message"] == "Acme: Overloaded"
    assert (error["request_id"], error["openrouter_metadata"]) == ("gen-1", {"a": 1})


def test_a_fault_of_ours_is_told_without_its_cause() -> None:
    (error,) = said(edit_stream(opening()).fail(GatewayError("server", "secret"), Raw(b'{"a":1}')))
    assert "secret" not in json.dumps(error)


@pytest.mark.parametrize(
    "data",
    [
        b"x",
        b"[]",
        b'{"type":"ping","x":"\xff"}',
        b'{"type":"content_block_delta","index":0,"delta":null}',
        b'{"type":"content_block_start","index":0}',
        b'{"type":"message_start"}',
        b'{"type":"x","y":' + b"[" * 300 + b"]" * 300 + b"}",
    ],
)
def test_what_is_no_event_is_malformed_and_never_passed_on(data: bytes) -> None:
    with pytest.raises(ProviderError, match="malformed") as caught:
        edit_stream(opening()).read(Frame(None, data))
    assert (caught.value.type, caught.value.retry) == ("provider_unavailable", "next_endpoint")


_NAMES = st.sampled_from(
    [
        *("type", "message", "index", "content_block", "delta", "usage", "error", "id", "text", "thinking", "name"),
        *("signature", "data", "input", "partial_json", "citations", "caller", "stop_reason", "stop_sequence"),
        *("input_tokens", "output_tokens", "cost", "iterations", "container", "content", "service_tier", "provider"),
    ]
)
_KINDS = st.sampled_from(
    [
        *("message_start", "content_block_start", "content_block_delta", "content_block_stop", "message_delta"),
        *("message_stop", "ping", "error", "brand_new", "text", "tool_use", "thinking"),
    ]
)
_TEXTS = st.text(st.characters(codec=None, exclude_categories=()), max_size=3)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 3) | st.floats(allow_nan=False) | _TEXTS | _KINDS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_NAMES | _TEXTS, inner, max_size=6),
    max_leaves=12,
)
_EVENTS = st.fixed_dictionaries(
    {"type": _KINDS},
    optional={"index": ANYTHING, "message": ANYTHING, "content_block": ANYTHING, "delta": ANYTHING, "usage": ANYTHING},
)
_DATA = st.one_of(
    (_EVENTS | ANYTHING).map(lambda content: json.dumps(content).encode()),
    ANYTHING.map(lambda content: json.dumps(content, ensure_ascii=False, indent=1).encode("utf-8", "surrogatepass")),
    st.binary(max_size=8),
)


@given(st.lists(st.tuples(st.none() | _KINDS.map(str.encode), _DATA), max_size=6))
def test_nothing_raises_but_the_two_errors_and_one_beginning_comes_before_all_content(
    frames: list[tuple[bytes | None, bytes]],
) -> None:
    stream = edit_stream(opening())
    kinds: list[str] = []
    for name, data in frames:
        try:
            told = said(stream.read(Frame(name, data)))
        except (StreamFailedError, ProviderError):
            continue
        for one in told:
            kinds.append(one["type"])
            if one["type"] == "message_start":
                assert one["message"]["model"] == "acme/sage-2"
                assert isinstance(one["message"]["id"], str)
                assert len(one["message"]["usage"]) >= 9
    kinds += [one["type"] for one in said(stream.end(BILL, None))]
    known = [kind for kind in kinds if kind.startswith(("message", "content"))]
    assert known[0] == "message_start"
    assert known[-2:] == ["message_delta", "message_stop"]
    assert [kinds.count(kind) for kind in ("message_start", "message_delta", "message_stop")] == [1, 1, 1]
