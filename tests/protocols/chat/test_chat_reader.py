"""Answers of a chat upstream as events: streams wherever they are cut, and whole answers that mean the same."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from protocols.chat.chat_support import TEXTS, mutated, odd
from setpoint.canonical.events import (
    Began,
    Cited,
    Counted,
    Event,
    Finished,
    Grew,
    PartBegan,
    PartEnded,
    Scored,
    Sealed,
    Unsaid,
)
from setpoint.canonical.fold import Fold
from setpoint.canonical.parts import Citation, Media, Part, Reasoning, Refusal, Text, ToolCall
from setpoint.canonical.result import Finish, Result
from setpoint.canonical.usage import Usage
from setpoint.errors import ProviderError
from setpoint.protocols.answer import StreamFailedError
from setpoint.protocols.chat import read_result, reader
from setpoint.wire.body import MalformedError, raw, split
from setpoint.wire.sse import Frame, FrameReader

CASES = sorted(path.parent for path in (Path(__file__).parents[2] / "wire" / "chat").glob("*/client.sse"))
EMPTY = raw("")
STOP: dict[str, Any] = {"delta": {}, "finish_reason": "stop"}
NOTHING: dict[str, Any] = {"delta": {"role": "assistant", "content": None, "tool_calls": []}}


def frame(content: object) -> Frame:
    return Frame(None, json.dumps(content).encode())


def told(*choices: dict[str, Any]) -> list[Event]:
    """The events of a stream of one chunk for each of these choices, but for how it begins."""
    stream = reader()
    events = [event for choice in choices for event in stream.read(frame({"choices": [choice]}))]
    assert events[:1] == [Began()]
    return events[1:]


def folded(events: list[Event]) -> Result:
    fold = Fold()
    for event in events:
        fold.add(event)
    return fold.result()


def parts(*deltas: dict[str, Any]) -> tuple[Part, ...]:
    """What a stream of these deltas makes."""
    return folded(told(*({"delta": delta} for delta in deltas), STOP)).parts


def text(content: str) -> Text:
    return Text(text=raw(content))


def call(id_: str, name: str, arguments: str = "", **more: Any) -> ToolCall:
    return ToolCall(id=id_, name=name, arguments=raw(arguments), **more)


def thought(content: str | None, **more: Any) -> Reasoning:
    return Reasoning(kind="text", text=None if content is None else raw(content), maker="chat", **more)


# --- how it goes ---------------------------------------------------------------------------------------------


def test_words_begin_grow_and_end_before_the_answer_is_finished() -> None:
    assert told(
        {"delta": {"role": "assistant", "content": ""}}, {"delta": {"content": "Hi"}}, {"delta": {"content": "!"}}, STOP
    ) == [
        PartBegan(0, text("")),
        Grew(0, raw("Hi")),
        Grew(0, raw("!")),
        PartEnded(0),
        Finished(Finish(reason="stop", native="stop")),
    ]


def test_it_begins_with_what_the_upstream_calls_it_and_is_counted_before_it_ends() -> None:
    stream = reader()
    usage = {"prompt_tokens": 3, "completion_tokens": 1, "cost": 0.5}
    assert stream.read(frame({"id": "c7", "service_tier": "flex", "choices": [STOP], "usage": usage})) == [
        Began("c7", "flex"),
        Counted(Usage(input_tokens=3, output_tokens=1), Decimal("0.5")),
        Finished(Finish(reason="stop", native="stop")),
    ]
    assert (stream.terminal, stream.done, stream.done_seen) == (True, False, False)
    assert stream.read(Frame(None, b"[DONE]")) == []
    assert (stream.terminal, stream.done, stream.done_seen) == (True, True, True)


@pytest.mark.parametrize("chunk", [{"choices": [NOTHING]}, {"id": "c7"}, {"usage": None}])
def test_what_says_nothing_only_begins(chunk: dict[str, Any]) -> None:
    stream = reader()
    assert stream.read(frame(chunk)) == [Began(chunk.get("id"))]
    assert stream.read(frame(chunk)) == []
    assert not stream.terminal


def test_an_answer_begins_with_the_chunk_that_says_something_of_it() -> None:
    stream = reader()
    assert stream.read(frame({"id": "", "choices": [], "prompt_filter_results": []})) == []
    assert stream.read(frame({"id": "c7", "choices": []})) == [Began("c7")]


def test_a_stream_that_ends_without_a_finish_ends_all_the_same() -> None:
    stream = reader()
    stream.read(frame({"choices": [{"delta": {"content": "Hi"}}]}))
    finish = Finish(reason="stop", native="stop")
    assert stream.read(Frame(None, b"[DONE]")) == [PartEnded(0), Finished(finish)]
    assert stream.read(Frame(None, b"[DONE]")) == []
    calling = reader()
    calling.read(frame({"choices": [{"delta": {"tool_calls": [{"id": "c", "function": {"name": "f"}}]}}]}))
    assert calling.read(Frame(None, b"[DONE]"))[-1] == Finished(Finish(reason="tool_calls", native="tool_calls"))


def test_a_stream_in_which_nothing_was_said_has_no_end_to_tell_of() -> None:
    stream = reader()
    assert stream.read(Frame(None, b"[DONE]")) == []
    assert stream.terminal


def test_of_several_choices_the_first_one_is_read() -> None:
    stream = reader()
    first = {"choices": [{"index": 1, "delta": {"content": "A"}}, {"index": 0, "delta": {"content": "B"}}]}
    assert stream.read(frame(first))[1:] == [PartBegan(0, text("")), Grew(0, raw("A"))]
    assert stream.read(frame({"choices": [{"index": 0, **STOP}]})) == []
    assert not stream.terminal


def test_what_comes_behind_the_finish_is_not_read() -> None:
    assert told(STOP, {"delta": {"content": "x"}}, STOP) == [Finished(Finish(reason="stop", native="stop"))]


def test_the_last_count_stands_and_a_cost_once_named_is_kept() -> None:
    stream = reader()
    for output, more in ((1, {"cost": 0.1}), (2, {})):
        usage = {"prompt_tokens": 3, "completion_tokens": output, **more}
        events = stream.read(frame({"choices": [], "usage": usage}))
        assert events[-1] == Counted(Usage(input_tokens=3, output_tokens=output), Decimal("0.1"))


def test_a_usage_behind_the_end_counts_once_and_nothing_else_does() -> None:
    stream = reader()
    stream.read(Frame(None, b"[DONE]"))
    assert stream.read(frame({"choices": [{"delta": {"content": "x"}}]})) == []
    assert stream.read(Frame(b"error", b'{"error":"late"}')) == []
    assert stream.read(Frame(None, b"no JSON")) == []
    late = frame({"usage": {"prompt_tokens": 3, "completion_tokens": 1}})
    assert stream.read(late) == [Counted(Usage(input_tokens=3, output_tokens=1))]
    assert stream.done
    assert stream.read(late) == []


@pytest.mark.parametrize(
    ("native", "calls", "reason"),
    [
        ("stop", False, "stop"),
        ("stop", True, "tool_calls"),
        ("tool_calls", True, "tool_calls"),
        ("function_call", True, "tool_calls"),
        ("max_tokens", False, "length"),
        ("length", True, "length"),
        ("SAFETY", False, "content_filter"),
        ("eos", False, "stop"),
    ],
)
def test_a_finish_has_the_documented_word_and_the_providers_own(native: str, calls: bool, reason: Any) -> None:
    delta = {"tool_calls": [{"id": "c", "function": {"name": "f"}}]} if calls else {}
    choice = {"delta": delta, "finish_reason": native}
    assert told(choice)[-1] == Finished(Finish(reason=reason, native=native))
    assert told({**choice, "native_finish_reason": "END"})[-1] == Finished(Finish(reason=reason, native="END"))


# --- what is said --------------------------------------------------------------------------------------------


def test_of_words_one_part_is_open_at_a_time() -> None:
    deltas = [
        {"reasoning_content": "Hm"},
        {"content": "A"},
        {"refusal": "No."},
        {"content": "B"},
        {"tool_calls": [{"id": "c", "function": {"name": "f", "arguments": "{}"}}]},
        {"content": "C"},
    ]
    events = told(*({"delta": delta} for delta in deltas), STOP)
    words = [type(event) for event in events if isinstance(event, (PartBegan, PartEnded))][:8]
    assert words == [PartBegan, PartEnded] * 4
    refusal = Refusal(text=raw("No."))
    assert folded(events).parts == (thought("Hm"), text("A"), refusal, text("B"), call("c", "f", "{}"), text("C"))


def test_content_may_be_a_list_of_parts() -> None:
    content = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}]},
        {"type": "text", "text": "Hi"},
        {"type": "image_url", "image_url": {"url": "https://a.test"}},
        {"type": "refusal", "refusal": "No."},
        {"type": "reference", "reference_ids": [1]},
    ]
    events = told({"delta": {"content": content}}, STOP)
    image = Media(kind="image", url=raw("https://a.test"))
    assert folded(events).parts == (thought("Hm"), text("Hi"), image, Refusal(text=raw("No.")))
    assert Unsaid("reference") in events


def test_scores_are_the_entries_as_they_came() -> None:
    data = b'{"choices":[{"delta":{"content":"Hi"},"logprobs":{"content":[{"token":"Hi","logprob":-0.50}]}}]}'
    assert Scored(Raw(b'[{"token":"Hi","logprob":-0.50}]')) in reader().read(Frame(None, data))
    assert not any(isinstance(event, Scored) for event in told({"delta": {}, "logprobs": {"content": None}}))


LINK = {
    "type": "url_citation",
    "url_citation": {"url": "https://a.test", "title": "A", "start_index": 0, "end_index": 2},
}
CITED = Citation(url=raw("https://a.test"), title=raw("A"), start=0, end=2)


def test_a_link_is_a_citation_of_the_words_that_stand_there_or_come() -> None:
    assert Cited(0, CITED) in told({"delta": {"content": "Hi"}}, {"delta": {"annotations": [LINK]}})
    [words] = parts({"annotations": [LINK]}, {"content": "Hi"})
    assert words == Text(text=raw("Hi"), citations=(CITED,))


def test_what_is_no_link_or_has_no_words_is_named() -> None:
    assert told({"delta": {"annotations": [{"type": "file"}, {}, 1]}}) == [
        Unsaid("annotations.file"),
        Unsaid("annotations"),
        Unsaid("annotations"),
    ]
    assert Unsaid("annotations.url_citation") in told({"delta": {"annotations": [LINK]}}, STOP)


def test_images_and_sound_are_media() -> None:
    assert parts(
        {"images": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}]},
        {"audio": {"id": "audio_1", "transcript": "H"}},
        {"audio": {"data": "SA=="}},
        {"audio": {"data": "aQ==", "transcript": "i", "expires_at": 7}},
    ) == (
        Media(kind="image", data=raw("AA=="), media_type="image/png"),
        Media(kind="audio", data=raw("SGk="), file_id=raw("audio_1"), text=raw("Hi")),
    )
    assert Unsaid("images") in told({"delta": {"images": [{"b64": "x"}]}})


# --- reasoning -----------------------------------------------------------------------------------------------


def test_details_go_before_the_plain_text_beside_them() -> None:
    detail = {"type": "reasoning.text", "text": "Hm", "format": "x", "id": "r", "index": 0}
    assert parts({"reasoning": "the same", "reasoning_details": [detail]}) == (thought("Hm", format="x", id="r"),)
    assert parts({"reasoning": "Hm", "reasoning_details": []}) == (thought("Hm"),)


@pytest.mark.parametrize(
    "detail",
    [
        {"type": "reasoning.encrypted", "data": "xx"},
        {"type": "reasoning.encrypted", "data": "xx", "index": 0},
    ],
)
def test_plain_text_beside_details_of_which_none_can_be_read_is_kept(detail: dict[str, Any]) -> None:
    sealed = Reasoning(kind="encrypted", seal=raw("xx"), maker="chat")
    beside: dict[str, Any] = {"reasoning": "visible", "reasoning_details": [detail]}
    assert parts(beside) == whole(beside).parts == (thought("visible"), sealed)
    empty = {"type": "reasoning.text", "text": "", "signature": None}
    assert parts({"reasoning": "visible", "reasoning_details": [empty, {"type": "x"}]}) == (thought("visible"),)


def test_pieces_of_a_step_are_one_part_with_its_seal() -> None:
    def detail(**said: Any) -> dict[str, Any]:
        return {"reasoning_details": [{"type": "reasoning.text", "index": 0, **said}]}

    events = told(*({"delta": delta} for delta in (detail(text="H"), detail(text="m"), detail(signature="sig"))), STOP)
    assert events[:-1] == [
        PartBegan(0, thought(None)),
        Grew(0, raw("H")),
        Grew(0, raw("m")),
        Sealed(0, raw("sig")),
        PartEnded(0),
    ]


@pytest.mark.parametrize(
    ("first", "second", "steps"),
    [
        ({"text": "a", "index": 0}, {"text": "b", "index": 0}, 1),
        ({"text": "a"}, {"text": "b"}, 1),
        ({"text": "a", "index": 0}, {"text": "b", "index": 1}, 2),
        ({"text": "a", "id": "r"}, {"text": "b", "id": "s"}, 2),
        ({"text": "a", "signature": "s"}, {"text": "b"}, 2),
        ({"text": "a"}, {"type": "reasoning.summary", "summary": "b"}, 2),
        ({"type": "reasoning.encrypted", "data": "a"}, {"type": "reasoning.encrypted", "data": "b"}, 2),
    ],
)  # fmt: skip
def test_a_step_ends_where_another_begins(first: dict[str, Any], second: dict[str, Any], steps: int) -> None:
    details = [{"type": "reasoning.text", **said} for said in (first, second)]
    assert len(parts(*({"reasoning_details": [detail]} for detail in details))) == steps


def test_details_without_numbers_in_one_list_are_steps_of_their_own() -> None:
    details = [{"type": "reasoning.text", "text": said} for said in "ab"]
    assert parts({"reasoning_details": details}) == (thought("a"), thought("b"))


def test_details_of_other_kinds_are_named_and_empty_ones_say_nothing() -> None:
    details = [{"type": "reasoning.server_tool_call"}, {"type": "reasoning.text", "text": ""}, {}]
    assert told({"delta": {"reasoning_details": details}}) == [
        Unsaid("reasoning.server_tool_call"),
        Unsaid("reasoning_details"),
    ]


# --- tool calls ----------------------------------------------------------------------------------------------


def calls(*deltas: list[dict[str, Any]]) -> tuple[Part, ...]:
    return parts(*({"tool_calls": fragments} for fragments in deltas))


def fragment(arguments: object = None, *, name: str | None = None, **more: Any) -> dict[str, Any]:
    function = {"name": name, "arguments": arguments}
    return {"function": {key: said for key, said in function.items() if said is not None}, **more}


NUMBERED = fragment("1", name="f", id="a", index=0)


def test_calls_are_open_side_by_side_and_their_fragments_may_come_in_turns() -> None:
    events = told(
        {"delta": {"tool_calls": [fragment("", name="f", index=0, id="a", type="function")]}},
        {"delta": {"tool_calls": [fragment("", name="g", index=1, id="b", type="function")]}},
        {"delta": {"tool_calls": [fragment("{", index=0), fragment("[", index=1)]}},
        {"delta": {"tool_calls": [fragment("}", index=0)]}},
        {"delta": {"tool_calls": [fragment("]", index=1)]}},
        {"delta": {}, "finish_reason": "tool_calls"},
    )
    assert events == [
        PartBegan(0, call("a", "f")),
        PartBegan(1, call("b", "g")),
        Grew(0, raw("{")),
        Grew(1, raw("[")),
        Grew(0, raw("}")),
        Grew(1, raw("]")),
        PartEnded(0),
        PartEnded(1),
        Finished(Finish(reason="tool_calls", native="tool_calls")),
    ]


@pytest.mark.parametrize(
    ("deltas", "made"),
    [
        # without numbers: a new id is a new call, what brings none goes on with the last one
        (
            [[fragment("", name="f", id="a")], [fragment("{}")], [fragment("[]", name="g", id="b")]],
            [("a", "f", "{}"), ("b", "g", "[]")],
        ),
        ([[fragment("1", name="f", id="a")], [fragment("2", name="f", id="a")]], [("a", "f", "12")]),
        ([[fragment("1", name="f")], [fragment("2", name="f")]], [("", "f", "12")]),
        ([[fragment("1", name="f")], [fragment("2", name="g")]], [("", "f", "1"), ("", "g", "2")]),
        ([[fragment("1", name="f")], [fragment("2", name="f", id="b")]], [("", "f", "1"), ("b", "f", "2")]),
        # several in one chunk are several calls, and a number may come later
        ([[fragment("1", name="f"), fragment("2", name="f")]], [("", "f", "1"), ("", "f", "2")]),
        (
            [[fragment("1", name="f"), fragment(name="g")], [fragment("2", index=1)], [fragment("3"), fragment("4")]],
            [("", "f", "13"), ("", "g", "24")],
        ),
        # one number for all of them
        (
            [[NUMBERED], [fragment("2", name="f", id="b", index=0)], [fragment("3", index=0)]],
            [("a", "f", "1"), ("b", "f", "23")],
        ),
        # an id or a name that is repeated or changes on its way
        (
            [[NUMBERED], [fragment("2", id="x", index=0)], [fragment("3", name="f", index=0)]],
            [("a", "f", "123")],
        ),
        # a name that comes late, or never
        ([[fragment("1", id="a", index=0)], [fragment("2", name="f", index=0)]], [("a", "f", "12")]),
        ([[fragment("1", id="a", index=0)], [fragment("2", index=0)]], [("a", "", "12")]),
        # arguments that are no text
        ([[fragment({"x": 1}, name="f", id="a")]], [("a", "f", '{"x": 1}')]),
    ],
)  # fmt: skip
def test_fragments_find_their_call(deltas: list[list[dict[str, Any]]], made: list[tuple[str, str, str]]) -> None:
    assert calls(*deltas) == tuple(call(*one) for one in made)


def test_a_custom_call_is_one() -> None:
    first = {"index": 0, "id": "a", "type": "custom", "custom": {"name": "patch", "input": "x"}}
    assert calls([first], [{"index": 0, "custom": {"input": "y"}}]) == (call("a", "patch", "xy", kind="custom"),)


def test_the_older_way_of_calling_is_a_call() -> None:
    assert parts({"function_call": {"name": "f", "arguments": "{"}}, {"function_call": {"arguments": "}"}}) == (
        call("", "f", "{}"),
    )


def test_a_call_of_another_kind_is_named_and_one_that_says_nothing_is_none() -> None:
    assert told({"delta": {"tool_calls": [{"type": "mcp", "id": "a"}]}}) == [Unsaid("mcp")]
    assert calls([{"index": 0}], [{"index": 0, "function": {}}]) == ()


# --- errors --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "code"),
    [
        (Frame(None, b'{"error":{"code":"busy","message":"Later"}}'), "busy"),
        (Frame(b"error", b"{}"), None),
        (Frame(None, b'{"choices":[{"finish_reason":"error","error":{"code":502}}]}'), "502"),
        (Frame(None, b'{"choices":[{"finish_reason":"error"}]}'), None),
    ],
)
def test_an_error_that_the_upstream_reports_ends_the_stream(event: Frame, code: str | None) -> None:
    with pytest.raises(StreamFailedError) as failed:
        reader().read(event)
    assert failed.value.reported.code == code


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"[]", b'{"choices":[1]}', b'{"choices":[{"delta":{"tool_calls":[1]}}]}', b'{"x":' + b"[" * 9999],
)
def test_what_is_no_chunk_is_malformed(data: bytes) -> None:
    with pytest.raises(ProviderError, match="malformed") as caught:
        reader().read(Frame(None, data))
    assert caught.value.type == "provider_unavailable"


# --- recorded streams ----------------------------------------------------------------------------------------


def streamed(pieces: list[bytes]) -> tuple[list[Event], str | None]:
    """The events of a stream that comes in these pieces, and the error that it ends with."""
    frames, stream = FrameReader(), reader()
    events: list[Event] = []
    try:
        for piece in pieces:
            for one in frames.feed(piece):
                events += stream.read(one)
    except (StreamFailedError, ProviderError) as error:
        return events, type(error).__name__
    return events, None


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_recorded_stream_means_the_same_wherever_it_is_cut(case: Path) -> None:
    upstream = (case / "upstream.sse").read_bytes()
    whole = streamed([upstream])
    assert streamed([upstream[at : at + 1] for at in range(len(upstream))]) == whole
    for cut in range(1, len(upstream)):
        assert streamed([upstream[:cut], upstream[cut:]]) == whole, f"cut at {cut}"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_recorded_stream_is_read_as_it_is_edited(case: Path) -> None:
    events, _ = streamed([(case / "upstream.sse").read_bytes()])
    outcome = json.loads((case / "outcome.json").read_bytes())
    result = folded(events)
    assert result.upstream_id == outcome.get("upstream_id")
    assert (result.usage or Usage()) == Usage(**outcome.get("usage", {}))
    assert str(result.provider_cost or "") == outcome.get("provider_cost", "")
    if "finish_reason" in outcome:
        assert result.finish is not None
        assert result.finish.reason == outcome["finish_reason"]


# --- whole answers -------------------------------------------------------------------------------------------


def whole(message: object, **more: Any) -> Result:
    return read_result(split(json.dumps({"choices": [{"message": message, **more}]}).encode()))


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


# --- hostile streams -----------------------------------------------------------------------------------------

_NAMES = (
    *("id", "choices", "delta", "message", "index", "content", "type", "text", "thinking", "role", "finish_reason"),
    *("tool_calls", "function", "function_call", "custom", "name", "arguments", "input", "reasoning", "error", "stop"),
    *("reasoning_details", "reasoning.text", "summary", "data", "signature", "annotations", "url_citation", "url"),
    *("images", "image_url", "audio", "transcript", "logprobs", "usage", "prompt_tokens", "native_finish_reason"),
)
_DELTA: dict[str, Any] = {
    "content": [{"type": "text", "text": "Hi"}],
    "reasoning_details": [{"type": "reasoning.text", "text": "x", "signature": "s", "index": 0, "id": "r"}],
    "tool_calls": [fragment("x", name="f", index=0, id="c", type="function"), fragment("x", name="g")],
    "annotations": [LINK],
    "images": [{"type": "image_url", "image_url": {"url": "x"}}],
    "audio": {"id": "a", "data": "AA=="},
}
_CHOICE: dict[str, Any] = {"index": 0, "delta": _DELTA, "finish_reason": "stop", "logprobs": {"content": [{}]}}
_CHUNKS = mutated({"id": "x", "choices": [_CHOICE], "usage": {"prompt_tokens": 1}}, odd(*_NAMES)) | odd(*_NAMES)


@given(st.lists(_CHUNKS.map(lambda chunk: json.dumps(chunk).encode()) | st.just(b"[DONE]"), max_size=4))
def test_no_chunk_raises_anything_but_the_two_errors_and_every_part_ends(chunks: list[bytes]) -> None:
    stream = reader()
    events: list[Event] = []
    for chunk in chunks:
        try:
            events += stream.read(Frame(None, chunk))
        except (StreamFailedError, ProviderError):
            return
    begun = [event.part for event in events if isinstance(event, PartBegan)]
    assert begun == list(range(len(begun)))
    for position, event in enumerate(events):
        if isinstance(event, (Grew, Sealed, Cited, PartEnded)):
            assert PartEnded(event.part) not in events[:position]
        if isinstance(event, Finished):
            assert sorted(one.part for one in events[:position] if isinstance(one, PartEnded)) == begun
    folded(events)


@given(mutated({"choices": [{"message": _DELTA, "finish_reason": "stop"}]}, odd(*_NAMES)) | odd(*_NAMES))
def test_a_whole_answer_is_read_or_the_providers_fault(content: object) -> None:
    try:
        result = read_result(split(json.dumps(content).encode()))
    except (MalformedError, ProviderError, StreamFailedError):
        return
    assert result.finish is None or result.finish.native
