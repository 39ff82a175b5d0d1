"""Streams of a responses upstream, read into events."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw, structs

from protocols.responses.responses_reader_support import FINISHED, LIKE, checked, parts_of, result_of, text_of
from protocols.responses.responses_support import (
    EVERYTHING,
    LINK,
    SCORES,
    STRANGE_FRAMES,
    STREAMS,
    USAGE,
    added,
    completed,
    created,
    cut_everywhere,
    done,
    folded,
    message,
    piece,
    read,
    response,
    sse,
)
from setpoint.canonical.events import Began, Cited, Counted, Event, Finished, Grew, PartBegan, PartEnded, Scored, Sealed
from setpoint.canonical.parts import Citation, Reasoning, Text, ToolCall
from setpoint.canonical.result import Finish, Result
from setpoint.canonical.usage import Usage
from setpoint.errors import ProviderError
from setpoint.protocols.answer import StreamFailedError
from setpoint.protocols.responses.reader import reader
from setpoint.wire.body import raw
from setpoint.wire.sse import Frame, FrameReader

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from protocols.responses.responses_support import Told

# --- a whole stream ------------------------------------------------------------------------------------------

EVERYTHING_SAID = Result(
    parts=(
        structs.replace(LIKE, text=raw("Let me see.")),
        structs.replace(LIKE, kind="encrypted", seal=raw("gAAA")),
        Text(
            text=Raw(b'"Hi \\ud83d\\ude00"'),
            citations=(Citation(url=raw("https://a"), title=raw("A"), start=0, end=2),),
        ),
        ToolCall(id="call_1", name="look", arguments=raw('{"a":1}'), item_id="fc_1"),
        ToolCall(
            id="call_2", name="patch", arguments=raw("*** Begin"), kind="custom", namespace="files", item_id="ctc_1"
        ),
    ),
    finish=Finish(reason="tool_calls", native="completed"),
    usage=Usage(input_tokens=11, cached_tokens=4, output_tokens=5, reasoning_tokens=2),
    upstream_id="resp_up",
    service_tier="default",
    logprobs=raw(SCORES),
)


def test_a_stream_makes_the_answer_that_it_tells_wherever_it_is_cut() -> None:
    def run(pieces: Iterable[bytes]) -> tuple[list[Event], bool]:
        frames, events, dialect = FrameReader(), list[Event](), reader()
        for cut in pieces:
            for frame in frames.feed(cut):
                events += dialect.read(frame)
        return events, dialect.done

    stream = sse(*EVERYTHING) + b"data: [DONE]\n\n"
    events, finished = run([stream])
    assert finished
    assert folded(checked(events)) == EVERYTHING_SAID
    assert run([stream.replace(b"\n", b"\r\n")]) == (events, finished)
    short = sse(created(), *EVERYTHING[9:12], completed(message("Hi")))
    cut_everywhere(short, run)


@pytest.mark.parametrize("case", STREAMS, ids=lambda case: case.name)
def test_every_recorded_stream_is_read_in_an_order_that_writers_can_rely_on(case: Path) -> None:
    events: list[Event] = []
    dialect = reader()
    for frame in FrameReader().feed((case / "upstream.sse").read_bytes()):
        try:
            events += dialect.read(frame)
        except (StreamFailedError, ProviderError):
            break
    checked(events)
    assert dialect.terminal == any(isinstance(event, Finished) for event in events)


def test_everything_is_told_as_soon_as_it_comes() -> None:
    dialect = reader()
    told_at = [[type(event) for event in read(dialect, sse(event))] for event in EVERYTHING]
    assert told_at == [
        *([Began], [], [], [PartBegan], [Grew], [Grew], [], [], [PartEnded, PartBegan, Sealed, PartEnded]),
        *([], [PartBegan], [Grew, Scored], [Grew], [Cited], [], [], [PartEnded]),
        *([PartBegan], [PartBegan], [Grew], [Grew], [Grew], [], [PartEnded], [], [PartEnded]),
        [Began, Counted, Finished],
    ]


_PART: Told = {"type": "output_text", "text": "Hi", "annotations": [LINK], "logprobs": SCORES}


@pytest.mark.parametrize(
    ("event", "kinds"),
    [
        (piece("output_text.delta", 0, "m", content_index=0, delta="Hi"), [PartBegan, Grew]),
        (piece("output_text.done", 0, "m", content_index=0, text="Hi", logprobs=SCORES), [PartBegan, Grew, Scored]),
        (piece("content_part.added", 0, "m", content_index=0, part=_PART), [PartBegan]),
        (piece("content_part.done", 0, "m", content_index=0, part=_PART), [PartBegan, Grew, Cited, Scored]),
        (
            piece("content_part.done", 0, "m", content_index=0, part={"type": "refusal", "refusal": "No"}),
            [PartBegan, Grew],
        ),
        (piece("content_part.done", 0, "m", content_index=0, part={"type": "output_text", "text": 7}), [PartBegan]),
        (piece("content_part.added", 0, "m", content_index=0, part={"type": "hologram"}), []),
        (piece("content_part.done", 0, "m", content_index=0, part={"type": "hologram"}), []),
        (piece("refusal.delta", 0, "m", content_index=0, delta="No"), [PartBegan, Grew]),
        (piece("refusal.done", 0, "m", content_index=0, refusal="No"), [PartBegan, Grew]),
        (piece("reasoning_text.delta", 0, "rs_1", content_index=0, delta="Hm"), [PartBegan, Grew]),
        (piece("reasoning_summary_text.done", 0, "rs_1", summary_index=0, text="Hm"), [PartBegan, Grew]),
        (piece("reasoning_summary_part.done", 0, "rs_1", summary_index=0, part={"text": "Hm"}), [PartBegan, Grew]),
        (piece("output_text.annotation.added", 0, "m", content_index=0, annotation=LINK), [PartBegan, Cited]),
        (piece("output_text.annotation.added", 0, "m", content_index=0, annotation=None), []),
        (piece("output_text.delta", 0, "m", content_index=0, delta=7), []),
        (piece("output_text.delta", 0, "m", content_index=0, delta="", logprobs={"a": 1}), [PartBegan]),
        (piece("function_call_arguments.delta", 0, "fc_1", delta="{}"), []),
        (added(0, type="function_call", id="fc_1", name="look", arguments="{}"), [PartBegan, Grew]),
        (added(0, type="function_call", id="fc_1", name="", arguments="{}"), []),
        ({"type": "response.output_item.added", "item": None}, []),
        ({"type": "response.output_item.done"}, []),
    ],
)
def test_an_event_tells_what_is_new_in_it(event: Told, kinds: list[type[Event]]) -> None:
    dialect = reader()
    read(dialect, sse(created()))
    assert [type(event) for event in read(dialect, sse(event))] == kinds


def test_a_part_that_is_complete_ends_when_another_begins_and_says_no_more() -> None:
    dialect = reader()
    place: Told = {"content_index": 0, "part": {"type": "output_text", "text": "Hi"}}
    read(dialect, sse(created(), piece("content_part.done", 0, "m", **place)))
    begun = read(dialect, sse(piece("output_text.delta", 0, "m", content_index=1, delta="Ho")))
    assert [type(event) for event in begun] == [PartEnded, PartBegan, Grew]
    late = (
        piece("output_text.delta", 0, "m", content_index=0, delta="more"),
        piece("output_text.done", 0, "m", content_index=0, text="Hi, more"),
        piece("output_text.annotation.added", 0, "m", content_index=0, annotation=LINK),
        piece("content_part.done", 0, "m", content_index=0, part=_PART),
    )
    assert [event for event in read(dialect, sse(*late)) if not isinstance(event, Scored)] == []


def test_a_step_that_has_ended_is_not_sealed_any_more() -> None:
    steps = [{"type": "reasoning_text", "text": "One"}]
    parts = parts_of(
        piece("content_part.done", 0, "rs_1", content_index=0, part=steps[0]),
        piece("reasoning_summary_text.delta", 0, "rs_1", summary_index=0, delta="Two"),
        done(0, type="reasoning", id="rs_1", summary=[], content=steps, signature="sig"),
        completed(),
    )
    assert all(part.seal is None for part in parts if isinstance(part, Reasoning))


# --- the end -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("details", "finish"),
    [
        ({"reason": "max_output_tokens"}, Finish(reason="length", native="max_output_tokens")),
        ({"reason": "content_filter"}, Finish(reason="content_filter", native="content_filter")),
        (None, Finish(reason="length", native="incomplete")),
    ],
)
def test_an_incomplete_answer_says_why(details: Any, finish: Finish) -> None:
    whole = response(status="incomplete", incomplete_details=details, output=[message("Hi")])
    assert result_of(created(), {"type": "response.incomplete", "response": whole}).finish == finish


@pytest.mark.parametrize("status", [None, "in_progress", "queued", 7])
def test_the_last_event_ends_the_answer_whatever_its_status_says(status: Any) -> None:
    last = {"type": "response.completed", "response": response(status=status, output=[message("Hi")])}
    result = result_of(created(), last)
    assert (text_of(*result.parts), result.finish) == (["Hi"], FINISHED)


def test_an_answer_that_begins_with_its_end_begins_nevertheless() -> None:
    events = checked(read(reader(), sse(completed(message("Hi")))))
    assert events[0] == Began("resp_up", "default")
    assert text_of(*folded(events).parts) == ["Hi"]


def test_an_event_without_a_response_ends_the_answer_too() -> None:
    dialect = reader()
    assert [type(event) for event in read(dialect, sse({"type": "response.completed"}))] == [Began, Finished]
    assert (dialect.terminal, dialect.done, dialect.done_seen) == (True, False, True)


def test_a_usage_before_the_end_is_not_final() -> None:
    early = {"type": "response.in_progress", "response": response(usage=USAGE)}
    counted = [event for event in read(reader(), sse(created(), early)) if isinstance(event, Counted)]
    assert [event.final for event in counted] == [False]


def test_a_usage_behind_the_end_still_counts_and_once() -> None:
    dialect = reader()
    end = {"type": "response.completed", "response": response(status="completed", usage=None)}
    read(dialect, sse(created(), end))
    late = {**USAGE, "cost": 0.25}
    assert (dialect.terminal, dialect.done) == (True, False)
    events = read(dialect, sse({"type": "response.completed", "response": response(usage=late)}, completed()))
    assert events == [
        Counted(Usage(input_tokens=11, cached_tokens=4, output_tokens=5, reasoning_tokens=2), Decimal("0.25"))
    ]
    assert dialect.done


def test_what_goes_wrong_behind_the_end_changes_nothing() -> None:
    dialect = reader()
    read(dialect, sse(created(), completed()))
    late: tuple[Frame, ...] = (
        Frame(b"error", b"{}"),
        Frame(None, b"not JSON"),
        Frame(None, b'{"type":"response.failed","response":{"error":{"code":"x"}}}'),
        Frame(None, b"[DONE]"),
    )
    assert [dialect.read(frame) for frame in late] == [[], [], [], []]


def test_the_last_word_on_the_service_tier_counts() -> None:
    tiers = [event.service_tier for event in read(reader(), sse(created(), completed())) if isinstance(event, Began)]
    assert tiers == ["auto", "default"]


# --- errors --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "reported"),
    [
        (
            {"type": "response.failed", "response": {"error": {"code": "server_error", "message": "No"}}},
            ("server_error", "No"),
        ),
        ({"type": "response.failed", "response": {"error": None}}, (None, None)),
        ({"type": "response.failed"}, (None, None)),
        ({"type": "response.completed", "response": {"status": "failed", "error": {"code": "x"}}}, ("x", None)),
        (
            {"type": "error", "code": "rate_limit_exceeded", "message": "Slow", "param": None},
            ("rate_limit_exceeded", "Slow"),
        ),
        ({"type": "error", "code": None, "message": "Slow"}, (None, "Slow")),
        ({"type": "error", "error": {"type": "overloaded", "message": "Full"}}, ("overloaded", "Full")),
        ({"type": "response.error", "error": "Oh"}, (None, "Oh")),
        ({"error": {"code": 429, "message": "Slow"}}, ("429", "Slow")),
    ],
)
def test_an_error_inside_the_stream_is_reported(event: Told, reported: tuple[str | None, str | None]) -> None:
    with pytest.raises(StreamFailedError) as failed:
        reader().read(Frame(None, bytes(raw(event))))
    assert failed.value.reported == reported


def test_an_event_that_is_named_error_is_one_whatever_it_says() -> None:
    with pytest.raises(StreamFailedError):
        reader().read(Frame(b"error", b'{"type":"response.output_text.delta","delta":"x"}'))


def test_an_event_that_fails_at_something_of_its_own_is_no_error_of_the_stream() -> None:
    event = b'{"type":"response.fusion_call.panel.failed","model":"m","error":"No"}'
    assert reader().read(Frame(None, event)) == []


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"x",
        b"[]",
        b'{"type":"\xff"}',
        b'{"type":"response.output_item.done","item":{"type":"function_call"}}',
        b'{"type":"response.output_item.done","item":{"type":"reasoning","summary":7}}',
    ],
)
def test_what_is_no_event_is_malformed(data: bytes) -> None:
    with pytest.raises(ProviderError, match="malformed") as caught:
        reader().read(Frame(None, data))
    assert (caught.value.type, caught.value.retry) == ("provider_unavailable", "next_endpoint")


def test_a_type_that_is_said_otherwise_is_understood() -> None:
    text = b'"content_index":0,"output_index":0,"delta":"Hi"}'
    for frame in (
        Frame(b"response.output_text.delta", b"{" + text),
        Frame(None, b'{"type":"response\\u002eoutput_text.delta",' + text),
    ):
        assert [type(event) for event in reader().read(frame)] == [Began, PartBegan, Grew]


@given(st.lists(STRANGE_FRAMES, max_size=6))
def test_no_event_raises_anything_but_the_two_errors(frames: list[Frame]) -> None:
    dialect, events = reader(), list[Event]()
    for frame in frames:
        try:
            events += dialect.read(frame)
        except (StreamFailedError, ProviderError):
            break
    checked(events)
    folded(events)
