"""Streams of a chat upstream as events, wherever they are cut and whatever comes in them."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.chat.chat_reader_support import LINK, STOP, folded, fragment, frame, text, told
from protocols.chat.chat_support import mutated, odd
from setpoint.canonical.events import Began, Cited, Counted, Event, Finished, Grew, PartBegan, PartEnded, Sealed
from setpoint.canonical.result import Finish
from setpoint.canonical.usage import Usage
from setpoint.errors import ProviderError
from setpoint.protocols.answer import StreamFailedError
from setpoint.protocols.chat import read_result, reader
from setpoint.wire.body import MalformedError, raw, split
from setpoint.wire.sse import Frame, FrameReader

CASES = sorted(path.parent for path in (Path(__file__).parents[2] / "wire" / "chat").glob("*/client.sse"))
NOTHING: dict[str, Any] = {"delta": {"role": "assistant", "content": None, "tool_calls": []}}


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
