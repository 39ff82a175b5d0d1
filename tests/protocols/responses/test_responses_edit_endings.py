"""How an edited stream of a responses upstream begins, ends and fails, and what is known of it then."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.responses.responses_edit_support import BROKEN, edited, events_of, outcome_of, sent
from protocols.responses.responses_support import (
    BILL,
    EVERYTHING,
    LENGTH_ERRORS,
    MODEL,
    STRANGE_FRAMES,
    USAGE,
    added,
    check_clients,
    check_sequence,
    completed,
    created,
    done,
    message,
    opening,
    piece,
    response,
    sse,
    told,
)
from setpoint.canonical.usage import Usage
from setpoint.errors import ProviderError
from setpoint.protocols.answer import Bill, Outcome, StreamFailedError
from setpoint.protocols.responses.edit import edit_stream
from setpoint.wire.body import raw
from setpoint.wire.sse import DONE, Frame

if TYPE_CHECKING:
    from protocols.responses.responses_support import Told

# --- when it begins and when it ends -------------------------------------------------------------------------

_CALL: Told = {"type": "function_call", "id": "fc_1", "call_id": "c", "name": "look", "arguments": ""}


@pytest.mark.parametrize(
    "event",
    [
        piece("output_text.delta", 0, "msg_1", delta="H"),
        piece("refusal.delta", 0, "msg_1", delta="N"),
        piece("reasoning_summary_text.delta", 0, "rs_1", delta="H"),
        piece("function_call_arguments.delta", 0, "fc_1", delta="{"),
        added(0, **_CALL),
        added(0, type="web_search_call", id="ws_1", status="in_progress"),
        done(0, **message("Hi")),
        done(0, type="reasoning", id="rs_1", summary=[], encrypted_content="gAAA"),
        completed(),
    ],
)
def test_the_first_thing_said_is_meaningful(event: Told) -> None:
    stream = edit_stream(opening())
    sent(stream, created(), event)
    assert stream.meaningful


@pytest.mark.parametrize(
    "event",
    [
        {"type": "response.in_progress", "response": response()},
        {"type": "keepalive"},
        added(0, type="message", id="msg_1", content=[]),
        added(0, type="reasoning", id="rs_1", summary=[]),
        {"type": "response.output_item.added", "output_index": 0, "item": None},
        {"type": "response.output_item.done", "output_index": 0, "item": None},
        piece("content_part.added", 0, "msg_1", part={"type": "output_text", "text": ""}),
        piece("output_text.delta", 0, "msg_1", delta=""),
        piece("output_text.delta", 0, "msg_1", delta=None),
        done(0, **message("")),
        done(0, type="reasoning", id="rs_1", summary=[], encrypted_content=None),
    ],
)
def test_a_beginning_or_an_empty_text_is_not_meaningful(event: Told) -> None:
    stream = edit_stream(opening())
    sent(stream, created(), event)
    assert not stream.meaningful
    assert not stream.terminal


def test_what_was_meaningful_stays_so() -> None:
    stream = edit_stream(opening())
    empty: Told = {"type": "message", "id": "msg_1", "role": "assistant", "content": []}
    sent(stream, created(), piece("output_text.delta", 0, "m", delta="H"), added(1, **empty), done(1, **empty))
    assert stream.meaningful


def test_the_last_event_waits_for_the_bill() -> None:
    stream = edit_stream(opening())
    sent(stream, created())
    last = completed(message("Hi"))
    last["response"]["usage"] = {**USAGE, "cost": 1, "x": {"y": 1}}
    assert sent(stream, last) == b""
    assert (stream.terminal, stream.done, stream.done_seen) == (True, True, True)
    out = stream.end(
        Bill(Usage(input_tokens=11, output_tokens=5, cached_tokens=4), None, Decimal("0.5")), raw({"a": 1})
    )
    assert out.endswith(DONE)
    answer = told(out)[0]["response"]
    assert (answer["usage"]["cost"], answer["usage"]["x"], answer["usage"]["total_tokens"]) == (0.5, {"y": 1}, 16)
    assert answer["openrouter_metadata"] == {"a": 1}
    assert (answer["model"], answer["completed_at"], answer["service_tier"]) == (MODEL, 1767226009, "default")


def test_an_incomplete_answer_stays_one() -> None:
    whole = response(status="incomplete", incomplete_details={"reason": "max_output_tokens"}, usage=USAGE)
    out, stream = edited([sse(created(), {"type": "response.incomplete", "response": whole})])
    last = told(out)[-1]
    assert (last["type"], last["response"]["status"]) == ("response.incomplete", "incomplete")
    assert last["response"]["completed_at"] is None
    assert (stream.outcome.finish_reason, stream.outcome.native_finish_reason) == ("length", "max_output_tokens")


def test_what_comes_behind_the_end_is_ignored() -> None:
    once = edited([sse(created(), completed(message("Hi")))])
    late = sse(piece("output_text.delta", 0, "m", delta="more"), completed(message("Ho")), {"type": "error"})
    more = edited([sse(created(), completed(message("Hi"))), late, b"data: not JSON\n\n", DONE])
    assert more[0] == once[0]
    assert more[1].outcome == once[1].outcome


@pytest.mark.parametrize("late", [{"type": "response.usage", "usage": USAGE}, completed()])
def test_a_usage_behind_the_end_still_counts_and_once(late: Told) -> None:
    stream = edit_stream(opening())
    sent(stream, created(), completed(usage=None))
    assert (stream.terminal, stream.done) == (True, False)
    sent(stream, late, completed(usage={**USAGE, "input_tokens": 99}))
    assert stream.done
    assert stream.outcome.usage == Usage(input_tokens=11, cached_tokens=4, output_tokens=5, reasoning_tokens=2)
    assert told(stream.end(BILL, None))[0]["response"]["usage"]["input_tokens_details"]["cached_tokens"] == 0


def test_done_alone_ends_nothing() -> None:
    stream = edit_stream(opening())
    assert sent(stream, created()) != b""
    assert stream.read(Frame(None, b"[DONE]")) == b""
    assert not stream.terminal


# --- what is known of the answer -----------------------------------------------------------------------------


def test_an_outcome_says_what_the_upstream_said() -> None:
    outcome = outcome_of(
        done(0, **message("Hi")), done(1, **{**_CALL, "arguments": "{}"}), completed(usage={**USAGE, "cost": 0.25})
    )
    assert outcome == Outcome(
        upstream_id="resp_up",
        finish_reason="tool_calls",
        native_finish_reason="completed",
        service_tier="default",
        usage=Usage(input_tokens=11, cached_tokens=4, output_tokens=5, reasoning_tokens=2),
        provider_cost=Decimal("0.25"),
        output_bytes=len("Hi") + len("look{}"),
    )


def test_a_service_tier_that_was_said_once_is_known() -> None:
    assert outcome_of(completed(service_tier=None)).service_tier == "auto"


def test_a_usage_before_the_end_is_partial() -> None:
    early = {"type": "response.in_progress", "response": response(usage=USAGE)}
    out, stream = edited([sse(created(), early)])
    assert stream.outcome.usage is None
    assert stream.outcome.partial
    assert told(out)[1]["response"]["usage"] is None


@pytest.mark.parametrize(
    "events",
    [
        [piece("output_text.delta", 0, "m", delta="Hi \u00e9"), done(0, **message("Hi \u00e9")), completed()],
        [piece("output_text.delta", 0, "m", delta="Hi \u00e9"), completed(message("Hi \u00e9"))],
        [
            piece("output_text.delta", 0, "m", delta="Hi"),
            done(0, **message("Hi \u00e9")),
            completed(message("Hi \u00e9")),
        ],
        [done(0, **message("Hi \u00e9"))],
        [completed(message("Hi \u00e9"))],
        [piece("output_text.delta", 0, "m", delta="Hi"), piece("output_text.delta", 0, "m", delta=" \u00e9")],
    ],
)
def test_what_is_said_is_counted_once_however_it_is_told(events: list[Told]) -> None:
    assert outcome_of(*events).output_bytes == len("Hi é".encode())


# --- errors --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "reported"),
    [
        (
            {"type": "response.failed", "response": {"error": {"code": "server_error", "message": "No"}}},
            ("server_error", "No"),
        ),
        ({"type": "response.completed", "response": {"status": "failed", "error": None}}, (None, None)),
        ({"type": "error", "code": "rate_limit_exceeded", "message": "Slow"}, ("rate_limit_exceeded", "Slow")),
        ({"type": "error", "error": {"type": "overloaded", "message": "Full"}}, ("overloaded", "Full")),
    ],
)
def test_an_error_inside_the_stream_is_reported(event: Told, reported: tuple[str | None, str | None]) -> None:
    stream = edit_stream(opening())
    sent(stream, created())
    with pytest.raises(StreamFailedError) as failed:
        sent(stream, event)
    assert failed.value.reported == reported
    assert not stream.terminal


@pytest.mark.parametrize(
    "data", [b"", b"x", b"[]", b"null", b'{"type":"\xff"}', b'{"type":"x","y":' + b"[" * 300 + b"]" * 300 + b"}"]
)
def test_what_is_no_event_is_malformed(data: bytes) -> None:
    with pytest.raises(ProviderError, match="malformed") as caught:
        edit_stream(opening()).read(Frame(None, data))
    assert (caught.value.type, caught.value.retry) == ("provider_unavailable", "next_endpoint")


def test_a_failure_before_anything_was_said_begins_and_fails() -> None:
    out = edit_stream(opening()).fail(BROKEN, None)
    events = told(out)
    assert out.endswith(DONE)
    assert [event["type"] for event in events] == ["response.created", "response.failed"]
    check_sequence(events)
    check_clients(events)
    assert (events[1]["response"]["error"]["code"], events[1]["response"]["error_type"]) == (
        "server_error",
        "provider_unavailable",
    )


def test_a_failure_in_the_middle_keeps_all_that_came() -> None:
    events = events_of(*EVERYTHING[:22])
    check_sequence(events)
    check_clients(events)
    thought, text, look, patch = events[-1]["response"]["output"]
    assert [item["type"] for item in (thought, text)] == ["reasoning", "message"]
    assert (look["name"], look["arguments"], look["status"]) == ("look", '{"a":1}', "incomplete")
    assert (patch["input"], patch["status"]) == ("*** Begin", "incomplete")
    assert (events[-1]["response"]["id"], events[-1]["response"]["service_tier"]) == ("resp_up", "auto")


_SAID_SO_FAR: list[tuple[tuple[Told, ...], Told]] = [
    (
        (
            added(0, type="message", id="msg_1", role="assistant", status="in_progress", content=[]),
            piece("output_text.delta", 0, "msg_1", content_index=0, delta="One "),
            piece("output_text.delta", 0, "msg_1", content_index=0, delta="two"),
            piece("refusal.done", 0, "msg_1", content_index=1, refusal="No."),
        ),
        message(
            *("", "msg_1"),
            status="incomplete",
            content=[
                {"type": "output_text", "text": "One two", "annotations": [], "logprobs": []},
                {"type": "refusal", "refusal": "No."},
            ],
        ),
    ),
    (
        (piece("output_text.delta", 0, "msg_1", content_index=0, delta="On"),),
        message("On", "msg_1", status="incomplete"),
    ),
    (
        (
            added(0, type="reasoning", id="rs_1", summary=[]),
            piece("reasoning_summary_text.delta", 0, "rs_1", summary_index=0, delta="Hm"),
            piece("reasoning_summary_text.done", 0, "rs_1", summary_index=0, text="Hmm"),
            piece("reasoning_text.delta", 0, "rs_1", content_index=0, delta="So"),
        ),
        {
            "type": "reasoning",
            "id": "rs_1",
            "summary": [{"type": "summary_text", "text": "Hmm"}],
            "status": "incomplete",
            "content": [{"type": "reasoning_text", "text": "So"}],
        },
    ),
]


@pytest.mark.parametrize(("events", "item"), _SAID_SO_FAR)
def test_an_item_that_is_cut_off_has_what_came_of_it(events: tuple[Told, ...], item: Told) -> None:
    assert events_of(created(), *events)[-1]["response"]["output"] == [item]


def test_an_item_that_does_not_come_in_words_is_left_out_when_it_is_cut_off() -> None:
    events = events_of(
        created(),
        added(0, type="web_search_call", id="ws_1", status="in_progress"),
        piece("function_call_arguments.delta", 1, "fc_1", delta="{"),
    )
    assert events[-1]["response"]["output"] == []


@pytest.mark.parametrize("type_", LENGTH_ERRORS)
def test_an_answer_that_gets_too_long_is_incomplete_and_no_failure(type_: Any) -> None:
    stream = edit_stream(opening())
    out = sent(stream, *EVERYTHING[:22]) + stream.fail(ProviderError(type_, "too long"), None)
    assert out.endswith(DONE)
    events = told(out)
    check_sequence(events)
    check_clients(events)
    answer = events[-1]["response"]
    assert (events[-1]["type"], answer["status"], answer["error"]) == ("response.incomplete", "incomplete", None)
    assert answer["incomplete_details"] == {"reason": "max_output_tokens"}
    assert [event["item"]["id"] for event in events if event["type"].endswith("item.done")][-2:] == ["fc_1", "ctc_1"]


def test_a_response_that_failed_has_counted_what_it_used() -> None:
    failed = response(status="failed", error={"code": "server_error", "message": "No"}, usage=USAGE)
    out, stream = edited([sse(created(), {"type": "response.failed", "response": failed})])
    assert stream.outcome.usage == Usage(input_tokens=11, cached_tokens=4, output_tokens=5, reasoning_tokens=2)
    usage = told(out)[-1]["response"]["usage"]
    assert (usage["input_tokens"], usage["output_tokens"], usage["cost"]) == (11, 5, None)
    check_clients(told(out))


def test_a_failure_tells_what_was_counted_before_it() -> None:
    events = events_of({"type": "response.created", "response": response(usage=USAGE)})
    assert events[-1]["response"]["usage"]["input_tokens"] == 11
    assert events_of(created())[-1]["response"]["usage"] is None


@given(st.lists(STRANGE_FRAMES, max_size=6))
def test_no_event_raises_anything_but_the_two_errors_and_what_goes_out_is_in_order(frames: list[Frame]) -> None:
    stream, out = edit_stream(opening()), b""
    for frame in frames:
        try:
            out += stream.read(frame)
        except (StreamFailedError, ProviderError):
            break
    out += stream.end(BILL, None) if stream.terminal else stream.fail(BROKEN, None)
    events = told(out)
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert events[0]["type"] == "response.created"
    assert events[-1]["type"] in ("response.completed", "response.incomplete", "response.failed")
    answers = [event["response"] for event in (events[0], events[-1])]
    assert answers[0]["id"] == answers[1]["id"]
    assert json.loads(json.dumps(answers[1]["output"])) is not None
