"""Streams of the messages protocol, read: an upstream's bytes in, what the answer means out, wherever they are cut."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

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
from setpoint.canonical.fold import Fold
from setpoint.canonical.parts import Citation, Part, Reasoning, Text, ToolCall
from setpoint.canonical.result import Finish, Result
from setpoint.canonical.usage import Usage
from setpoint.errors import ProviderError
from setpoint.protocols.answer import StreamFailedError
from setpoint.protocols.messages.reader import MessagesReader, reader
from setpoint.protocols.messages.result import read_result
from setpoint.wire.body import NULL, split, value
from setpoint.wire.sse import Frame, FrameReader

if TYPE_CHECKING:
    from collections.abc import Iterable

    from setpoint.canonical.events import Event

START = """event: message_start
data: {"type":"message_start","message":{"id":"msg_01XFD","type":"message","role":"assistant","model":"sage-2","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":25,"cache_creation_input_tokens":4,"cache_read_input_tokens":16,"output_tokens":1,"service_tier":"standard"}}}

"""  # noqa: E501 one event is one line

TEXT = """event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}

event: ping
data: {"type": "ping"}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hel"}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"lo \\ud83d\\ude00 ✓"}}

event: content_block_stop
data: {"type":"content_block_stop","index":0}

"""

THINKING = """event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"Let me "}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"see."}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"EqQBCgIYAhIM1gbcDa9GJwZA2b3hGgxBdjrkzLoky3dl1pk="}}

event: content_block_stop
data: {"type":"content_block_stop","index":0}

event: content_block_start
data: {"type":"content_block_start","index":1,"content_block":{"type":"redacted_thinking","data":"EmwKAhgBEgy3va3pzix/LafPsn4a"}}

event: content_block_stop
data: {"type":"content_block_stop","index":1}

"""  # noqa: E501 one event is one line

# The pieces are cut inside an escape, inside a surrogate pair and inside a word; the second call stands in between.
TOOLS = r"""event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"toolu_01T","name":"get_weather","input":{}}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":""}}

event: content_block_start
data: {"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"toolu_02T","name":"get_time","input":{}}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\"city\": \"Par\\"}}

event: content_block_delta
data: {"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\"zone\":"}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"\"is \ud83d"}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"\ude00\"}"}}

event: content_block_stop
data: {"type":"content_block_stop","index":0}

event: content_block_delta
data: {"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":" \"CET\"}"}}

event: content_block_stop
data: {"type":"content_block_stop","index":1}

event: content_block_start
data: {"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"toolu_03T","name":"now","input":{}}}

event: content_block_stop
data: {"type":"content_block_stop","index":2}

event: content_block_start
data: {"type":"content_block_start","index":3,"content_block":{"type":"tool_use","id":"toolu_04T","name":"add","input":{"a": 1.50}}}

event: content_block_stop
data: {"type":"content_block_stop","index":3}

"""  # noqa: E501 one event is one line

CITED = """event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"server_tool_use","id":"srvtoolu_1","name":"web_search","input":{}}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\\"query\\": \\"x\\"}"}}

event: content_block_stop
data: {"type":"content_block_stop","index":0}

event: content_block_start
data: {"type":"content_block_start","index":1,"content_block":{"type":"web_search_tool_result","tool_use_id":"srvtoolu_1","content":[]}}

event: content_block_stop
data: {"type":"content_block_stop","index":1}

event: content_block_start
data: {"type":"content_block_start","index":2,"content_block":{"type":"text","text":"","citations":[]}}

event: content_block_delta
data: {"type":"content_block_delta","index":2,"delta":{"type":"citations_delta","citation":{"type":"web_search_result_location","url":"https://a.example","title":"A","cited_text":"so it is","encrypted_index":"Eo8B"}}}

event: content_block_delta
data: {"type":"content_block_delta","index":2,"delta":{"type":"text_delta","text":"So"}}

event: content_block_delta
data: {"type":"content_block_delta","index":2,"delta":{"type":"citations_delta","citation":{"type":"char_location","document_index":0}}}

event: content_block_stop
data: {"type":"content_block_stop","index":2}

"""  # noqa: E501 one event is one line


def end(stop: str, usage: str = '{"output_tokens":15}') -> str:
    """The last two events, for reasons as JSON members."""
    return (
        f'event: message_delta\ndata: {{"type":"message_delta","delta":{{{stop}}},"usage":{usage}}}\n\n'
        'event: message_stop\ndata: {"type":"message_stop"}\n\n'
    )


STOP = '"stop_reason":"end_turn","stop_sequence":null'
USAGE = Usage(input_tokens=45, output_tokens=15, cached_tokens=16, cache_write_tokens=4)


def read(pieces: Iterable[bytes], of: MessagesReader | None = None) -> list[Event]:
    """The events of a stream that comes in these pieces."""
    frames, stream = FrameReader(), of or reader()
    return [event for piece in pieces for frame in frames.feed(piece) for event in stream.read(frame)]


def meaning(*streams: str) -> Result:
    """What a stream says, the same when it comes byte by byte."""
    data = "".join(streams).encode()
    result = folded(read([data]))
    assert folded(read(data[at : at + 1] for at in range(len(data)))) == result
    return result


def folded(events: Iterable[Event]) -> Result:
    fold = Fold()
    for event in events:
        fold.add(event)
    return fold.result()


def text(content: str) -> Raw:
    return Raw(content.encode())


def call(id_: str, name: str, arguments: str) -> ToolCall:
    return ToolCall(id=id_, name=name, arguments=text(arguments))


def event(kind: str, **members: Any) -> Frame:
    return Frame(kind.encode(), json.dumps({"type": kind, **members}).encode())


# --- what streams mean ---------------------------------------------------------------------------------------


def test_a_text_with_pings_in_between() -> None:
    assert meaning(START, TEXT, end(STOP)) == Result(
        parts=(Text(text=text(r'"Hello \ud83d\ude00 ✓"')),),
        finish=Finish(reason="stop", native="end_turn"),
        usage=USAGE,
        upstream_id="msg_01XFD",
        service_tier="default",
    )


def test_thinking_with_its_signature_and_thinking_that_nobody_may_read() -> None:
    first, second = meaning(START, THINKING, end(STOP)).parts
    assert first == Reasoning(
        kind="text",
        text=text('"Let me see."'),
        seal=text('"EqQBCgIYAhIM1gbcDa9GJwZA2b3hGgxBdjrkzLoky3dl1pk="'),
        maker="messages",
        format="anthropic-claude-v1",
    )
    assert second == Reasoning(
        kind="encrypted",
        seal=text('"EmwKAhgBEgy3va3pzix/LafPsn4a"'),
        maker="messages",
        format="anthropic-claude-v1",
    )


def test_parallel_calls_whose_arguments_are_cut_anywhere() -> None:
    result = meaning(START, TOOLS, end('"stop_reason":"tool_use"'))
    assert result.parts == (
        call("toolu_01T", "get_weather", r'"{\"city\": \"Par\\\"is \ud83d\ude00\"}"'),
        call("toolu_02T", "get_time", r'"{\"zone\": \"CET\"}"'),
        call("toolu_03T", "now", '"{}"'),
        call("toolu_04T", "add", r'"{\"a\": 1.50}"'),
    )
    assert result.finish == Finish(reason="tool_calls", native="tool_use")


def test_citations_and_blocks_that_have_no_word_elsewhere() -> None:
    result = meaning(START, CITED, end(STOP))
    assert result.unsaid == ("server_tool_use", "web_search_tool_result", "citations.char_location")
    link = Citation(url=text('"https://a.example"'), title=text('"A"'), quoted=text('"so it is"'))
    inside = Citation(kind="char_location", body=text('{"type":"char_location","document_index":0}'))
    assert result.parts == (Text(text=text('"So"'), citations=(link, inside)),)


@pytest.mark.parametrize(
    ("stop", "finish"),
    [
        (
            '"stop_reason":"stop_sequence","stop_sequence":"END"',
            Finish(reason="stop", native="stop_sequence", stop_sequence=text('"END"')),
        ),
        (
            '"stop_reason":"refusal","stop_details":{"type":"refusal","category":null}',
            Finish(reason="content_filter", native="refusal", details=text('{"type":"refusal","category":null}')),
        ),
        ('"stop_reason":"max_tokens"', Finish(reason="length", native="max_tokens")),
        ('"stop_reason":"pause_turn"', Finish(reason="stop", native="pause_turn")),
        ('"stop_reason":"brand_new"', Finish(reason="stop", native="brand_new")),
    ],
)
def test_how_an_answer_ended(stop: str, finish: Finish) -> None:
    assert meaning(START, end(stop)).finish == finish


def test_an_answer_that_is_complete_without_saying_why_was_stopped_or_calls_a_tool() -> None:
    assert meaning(START, TEXT, end("")).finish == Finish(reason="stop", native="message_stop")
    assert meaning(START, TOOLS, end("")).finish == Finish(reason="tool_calls", native="message_stop")


@pytest.mark.parametrize("stream", [TEXT, THINKING, TOOLS, CITED], ids=["text", "thinking", "tools", "cited"])
def test_a_stream_means_what_the_same_answer_means_that_comes_whole(stream: str) -> None:
    """The message is put together as the official client does it, by index, and read as one."""
    blocks: dict[int, dict[str, Any]] = {}
    pieces: dict[int, str] = {}
    for frame in FrameReader().feed(stream.encode()):
        said = json.loads(frame.data)
        match said:
            case {"content_block": block, "index": index}:
                blocks[index] = block
            case {"delta": {"partial_json": piece}, "index": index}:
                pieces[index] = pieces.get(index, "") + piece
            case {"delta": {"citation": citation}, "index": index}:
                blocks[index].setdefault("citations", []).append(citation)
            case {"delta": delta, "index": index}:
                for name in delta.keys() - {"type"}:
                    blocks[index][name] = blocks[index].get(name, "") + delta[name]
            case _:
                pass
    for index, joined in pieces.items():
        if joined:
            blocks[index]["input"] = json.loads(joined)
    whole = read_result(split(json.dumps({"content": list(blocks.values()), "stop_reason": "end_turn"}).encode()))
    streamed = meaning(START, stream, end(STOP))
    assert streamed.unsaid == whole.unsaid
    assert [spoken(part) for part in streamed.parts] == [spoken(part) for part in whole.parts]


def spoken(part: Part) -> object:
    """A part with its JSON decoded, so that only what it says is compared."""
    match part:
        case Text(text=said, citations=citations):
            return value(said), [value(one.body or one.url or NULL) for one in citations]
        case ToolCall(id=id_, name=name, arguments=arguments):
            return id_, name, json.loads(value(arguments))
        case Reasoning(kind=kind, text=said, seal=seal):
            return kind, value(said or NULL), value(seal or NULL)
        case _:
            raise AssertionError(part)


@pytest.mark.parametrize("stream", [TEXT, THINKING, TOOLS, CITED], ids=["text", "thinking", "tools", "cited"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_a_stream_means_the_same_wherever_it_is_cut(stream: str, line_end: str) -> None:
    expected = meaning(START, stream, end(STOP))
    data = (START + stream + end(STOP)).replace("\n", line_end).encode()
    for cut in range(1, len(data)):
        assert folded(read([data[:cut], data[cut:]])) == expected, f"cut at {cut}"


# --- the order of events -------------------------------------------------------------------------------------


def test_every_part_begins_grows_and_ends_before_the_answer_finishes() -> None:
    begin = PartBegan(0, Text(text=text('""')))
    before = Usage(input_tokens=45, output_tokens=1, cached_tokens=16, cache_write_tokens=4)
    assert read([(START + TEXT + end(STOP)).encode()]) == [
        Began("msg_01XFD", "default"),
        Counted(before, final=False),
        begin,
        Grew(0, text('"Hel"')),
        Grew(0, text(r'"lo \ud83d\ude00 ✓"')),
        PartEnded(0),
        Counted(USAGE),
        Finished(Finish(reason="stop", native="end_turn")),
    ]


def test_a_block_that_is_left_open_ends_with_the_answer() -> None:
    unclosed = TEXT[: TEXT.index("event: content_block_stop")]
    events = read([(START + unclosed + end(STOP)).encode()])
    assert events[-3:] == [PartEnded(0), Counted(USAGE), Finished(Finish(reason="stop", native="end_turn"))]


def test_a_block_that_begins_where_one_is_open_ends_it() -> None:
    unclosed = TEXT[: TEXT.index("event: content_block_stop")]
    assert [type(event) for event in read([(unclosed + unclosed).encode()])] == [
        *(PartBegan, Grew, Grew, PartEnded),
        *(PartBegan, Grew, Grew),
    ]


def test_what_a_block_begins_with_is_said_too() -> None:
    stream = reader()
    begins = [
        event("content_block_start", index=0, content_block={"type": "text", "text": "a", "citations": [{"x": 1}]}),
        event("content_block_start", index=1, content_block={"type": "thinking", "thinking": "b", "signature": "c"}),
    ]
    events = [said for frame in begins for said in stream.read(frame)]
    assert [said for said in events if not isinstance(said, PartBegan)] == [
        Grew(0, text('"a"')),
        Cited(0, Citation(kind="citation", body=text('{"x": 1}'))),
        Unsaid("citations.citation"),
        Grew(1, text('"b"')),
        Sealed(1, text('"c"')),
    ]


def test_an_input_that_comes_whole_and_in_pieces_counts_once() -> None:
    stream = reader()
    block = {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}}
    stream.read(event("content_block_start", index=0, content_block=block))
    delta = {"type": "input_json_delta", "partial_json": '{"a":1}'}
    assert stream.read(event("content_block_delta", index=0, delta=delta)) == [Grew(0, text(r'"{\"a\":1}"'))]
    assert stream.read(event("content_block_stop", index=0)) == [PartEnded(0)]


def test_text_in_no_block_makes_one_and_arguments_of_no_call_are_malformed() -> None:
    stream = reader()
    assert stream.read(event("content_block_delta", index=0, delta={"type": "text_delta", "text": ""})) == []
    said = stream.read(event("content_block_delta", index=0, delta={"type": "text_delta", "text": "a"}))
    assert said == [PartBegan(0, Text(text=text('""'))), Grew(0, text('"a"'))]
    thought = stream.read(event("content_block_delta", index=0, delta={"type": "thinking_delta", "thinking": "b"}))
    assert [type(one) for one in thought] == [PartEnded, PartBegan, Grew]
    with pytest.raises(ProviderError, match="malformed"):
        stream.read(event("content_block_delta", index=0, delta={"type": "input_json_delta", "partial_json": "{"}))


def test_deltas_and_events_that_are_not_known_are_left_out_and_named_when_they_are_content() -> None:
    stream = reader()
    stream.read(event("content_block_start", index=0, content_block={"type": "text", "text": ""}))
    assert stream.read(event("content_block_delta", index=0, delta={"type": "sparkle_delta", "x": 1})) == [
        Unsaid("sparkle_delta")
    ]
    assert stream.read(event("vibes", mood=1)) == []
    assert stream.read(Frame(None, b"[DONE]")) == []
    assert stream.read(Frame(None, b'{"no":"type"}')) == []
    assert stream.read(Frame(None, b"")) == []


def test_the_kind_of_an_event_may_stand_in_the_frames_name_only() -> None:
    stream = reader()
    assert stream.read(Frame(b"message_start", b'{"message":{"id":"m"}}')) == [Began("m", None)]


def test_a_second_message_start_changes_nothing() -> None:
    stream = reader()
    read([START.encode()], stream)
    again = START.replace("msg_01XFD", "msg_other").replace('"output_tokens":1', '"output_tokens":9')
    assert read([again.encode()], stream) == []


# --- the usage -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "last", "usage"),
    [
        ('{"input_tokens":7,"output_tokens":1}', '{"output_tokens":3}', Usage(input_tokens=7, output_tokens=3)),
        ("null", '{"input_tokens":7,"output_tokens":3}', Usage(input_tokens=7, output_tokens=3)),
        # cumulative: the input may have grown by what tools of the provider's brought in
        ('{"input_tokens":7}', '{"input_tokens":9,"output_tokens":3}', Usage(input_tokens=9, output_tokens=3)),
        # a key filled in with 0, or with nothing, is no count
        (
            '{"input_tokens":7,"cache_read_input_tokens":2}',
            '{"input_tokens":0,"cache_read_input_tokens":null,"output_tokens":3}',
            Usage(input_tokens=9, output_tokens=3, cached_tokens=2),
        ),
        ('{"input_tokens":7,"output_tokens":1}', '{"output_tokens":0}', Usage(input_tokens=7)),
        ('{"input_tokens":7,"output_tokens":1}', "null", None),
        ('{"input_tokens":7,"output_tokens":1}', '{"output_tokens":"many"}', None),
        ("null", '{"output_tokens":3}', None),  # of an input that nobody counted the cost is not known
        ("null", "null", None),
    ],
)
def test_usage_is_the_last_count_over_the_first(start: str, last: str, usage: Usage | None) -> None:
    stream = reader()
    begin = f'data: {{"type":"message_start","message":{{"usage":{start}}}}}\n\n'
    result = folded(read([(begin + end(STOP, last)).encode()], stream))
    assert result.usage == usage
    assert (stream.terminal, stream.done_seen, stream.done) == (True, True, usage is not None)


def test_a_first_count_is_not_the_whole_answers() -> None:
    events = read([START.encode()])
    assert [(said.final, said.usage.input_tokens) for said in events if isinstance(said, Counted)] == [(False, 45)]


def test_a_count_in_the_middle_ends_nothing_and_the_last_one_counts() -> None:
    count = 'event: message_delta\ndata: {"type":"message_delta","delta":{},"usage":{"output_tokens":2}}\n\n'
    first, second = TEXT.split("event: ping", 1)
    result = meaning(START, first, count, "event: ping" + second, count, end(STOP))
    assert result.usage == USAGE
    assert len(result.parts) == 1


def test_what_the_upstream_says_its_answer_cost_is_read_digit_by_digit() -> None:
    assert meaning(START, end(STOP, '{"output_tokens":1,"cost":0.10000000000000000001}')).provider_cost == Decimal(
        "0.10000000000000000001"
    )


def test_behind_the_end_only_a_usage_that_is_not_yet_known_counts() -> None:
    stream = reader()
    read([(START + TEXT + end(STOP, "null")).encode()], stream)
    assert not stream.done
    assert read([TEXT.encode(), end(STOP, "{}").encode(), b"data: not JSON\n\n"], stream) == []
    assert stream.read(Frame(b"error", b'{"type":"error"}')) == []
    assert stream.read(event("message_delta", usage={"output_tokens": 15})) == [Counted(USAGE)]
    assert stream.done
    assert stream.read(event("message_delta", usage={"output_tokens": 99})) == []


# --- what goes wrong -----------------------------------------------------------------------------------------

OVERLOADED = b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"req_1"}'


@pytest.mark.parametrize("before", ["", START, START + TEXT], ids=["at once", "after the start", "in the middle"])
@pytest.mark.parametrize("name", [b"event: error\n", b""], ids=["named", "unnamed"])
def test_an_error_event_ends_the_stream(before: str, name: bytes) -> None:
    with pytest.raises(StreamFailedError) as failed:
        read([before.encode(), name + b"data: " + OVERLOADED + b"\n\n"])
    assert failed.value.reported == ("overloaded_error", "Overloaded")


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        (None, b'{"error":{"message":"?"}}', "?"),
        (None, b'{"type":"ping","error":{"message":"?"}}', "?"),
        (b"error", b'{"type":"ping"}', None),
        (b"error", b"{}", None),
    ],
)
def test_an_error_in_another_shape_is_one_as_well(name: bytes | None, data: bytes, message: str | None) -> None:
    with pytest.raises(StreamFailedError) as failed:
        reader().read(Frame(name, data))
    assert failed.value.reported.message == message


def test_an_error_of_null_is_none() -> None:
    assert reader().read(Frame(None, b'{"type":"message_start","message":{},"error":null}')) == [Began(None, None)]


@pytest.mark.parametrize(
    "data",
    [
        b"x",
        b"[]",
        b"\xff",
        b'{"type":"content_block_delta","index":0}',
        b'{"type":"content_block_delta","index":0,"delta":[]}',
        b'{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":5}}',
        b'{"type":"content_block_start","index":0,"content_block":"text"}',
        b'{"type":"x","y":' + b"[" * 300 + b"]" * 300 + b"}",
    ],
)
def test_what_is_no_event_is_malformed(data: bytes) -> None:
    with pytest.raises(ProviderError, match="malformed") as caught:
        reader().read(Frame(None, data))
    assert (caught.value.type, caught.value.retry) == ("provider_unavailable", "next_endpoint")


_KINDS = st.sampled_from(
    [
        *("message_start", "content_block_start", "content_block_delta", "content_block_stop", "message_delta"),
        *("message_stop", "error", "ping", "text", "thinking", "redacted_thinking", "tool_use", "text_delta"),
        *("thinking_delta", "input_json_delta", "signature_delta", "citations_delta", "web_search_result_location"),
    ]
)
_NAMES = st.sampled_from(
    [
        *("type", "message", "index", "content_block", "delta", "usage", "error", "id", "text", "thinking", "name"),
        *("signature", "data", "input", "partial_json", "citation", "citations", "stop_reason", "stop_sequence"),
        *("input_tokens", "output_tokens", "url", "stop_details", "service_tier", "cost", "content"),
    ]
)
_ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()), max_size=3)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 3) | st.floats(allow_nan=False) | _ANY_TEXT | _KINDS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_NAMES | _ANY_TEXT, inner, max_size=6),
    max_leaves=12,
)
_STEPS = st.fixed_dictionaries(
    {"type": _KINDS},
    optional={"index": ANYTHING, "message": ANYTHING, "content_block": ANYTHING, "delta": ANYTHING, "usage": ANYTHING},
)
_DATA = st.one_of(
    (_STEPS | ANYTHING).map(lambda content: json.dumps(content).encode()),
    ANYTHING.map(lambda content: json.dumps(content, ensure_ascii=False).encode("utf-8", "surrogatepass")),
    st.binary(max_size=8),
)


@given(st.lists(st.tuples(st.none() | _KINDS.map(str.encode), _DATA), max_size=8))
def test_nothing_raises_but_the_two_errors_and_parts_begin_before_they_grow_and_end_once(
    frames: list[tuple[bytes | None, bytes]],
) -> None:
    stream = reader()
    opened: set[int] = set()
    fold = Fold()
    for name, data in frames:
        try:
            events = stream.read(Frame(name, data))
        except (StreamFailedError, ProviderError):
            continue
        for said in events:
            fold.add(said)
            match said:
                case PartBegan(part):
                    assert part == len(fold.result().parts) - 1
                    opened.add(part)
                case Grew(part) | Sealed(part) | Cited(part):
                    assert part in opened
                case PartEnded(part):
                    opened.remove(part)
                case Finished():
                    assert not opened
                    assert stream.terminal
                case Began() | Counted() | Unsaid() | Scored():
                    pass
