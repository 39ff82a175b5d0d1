"""Streams of a responses upstream, edited for a responses client."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw, structs
from openai import OpenAI

from protocols.responses.responses_support import (
    BILL,
    EVERYTHING,
    LENGTH_ERRORS,
    MODEL,
    STRANGE_FRAMES,
    STREAMS,
    USAGE,
    added,
    check_clients,
    check_pieces,
    check_sequence,
    completed,
    created,
    cut_everywhere,
    done,
    folded,
    message,
    opening,
    piece,
    read,
    response,
    sse,
    told,
)
from setpoint.canonical.parts import ToolCall
from setpoint.canonical.usage import Usage
from setpoint.errors import ProviderError
from setpoint.protocols.answer import Bill, Outcome, Stamp, StreamFailedError
from setpoint.protocols.responses.edit import edit_stream
from setpoint.protocols.responses.reader import reader
from setpoint.wire.body import raw
from setpoint.wire.sse import DONE, Frame, FrameReader

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from protocols.responses.responses_support import Told
    from setpoint.canonical.result import Result
    from setpoint.protocols.answer import Opening
    from setpoint.protocols.base import EditedStream

BROKEN = ProviderError("provider_unavailable", "the stream was cut")


def edited(pieces: Iterable[bytes], of: Opening | None = None) -> tuple[bytes, EditedStream]:
    """What the client gets of a stream in these pieces, which is brought to its end, and what is known of it then."""
    frames, stream, out = FrameReader(), edit_stream(of or opening()), b""
    try:
        for cut in pieces:
            for frame in frames.feed(cut):
                out += stream.read(frame)
    except (StreamFailedError, ProviderError):
        pass
    return out + (stream.end(BILL, None) if stream.terminal else stream.fail(BROKEN, None)), stream


def events_of(*events: Told, of: Opening | None = None) -> list[Told]:
    """The events for the client of an upstream that sends these."""
    return told(edited([sse(*events)], of)[0])


def outcome_of(*events: Told) -> Outcome:
    return edited([sse(created(), *events)])[1].outcome


def sent(stream: EditedStream, *events: Told) -> bytes:
    return b"".join(stream.read(frame) for frame in FrameReader().feed(sse(*events)))


# --- whole streams -------------------------------------------------------------------------------------------


def test_a_stream_obeys_every_rule_and_the_official_clients_wherever_it_is_cut() -> None:
    def run(pieces: Iterable[bytes]) -> tuple[bytes, Outcome]:
        out, stream = edited(pieces)
        return out, stream.outcome

    stream = sse(*EVERYTHING) + DONE
    out, _ = run([stream])
    assert out.endswith(DONE)
    check_sequence(told(out))
    check_pieces(told(out))
    check_clients(told(out))
    cut_everywhere(sse(created(), *EVERYTHING[9:12], completed(message("Hi"))) + DONE, run)


def test_the_official_client_holds_an_edited_stream_together() -> None:
    out, _ = edited([sse(*EVERYTHING)])

    def answer(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=out)

    with httpx2.Client(transport=httpx2.MockTransport(answer)) as http:
        client = OpenAI(api_key="k", base_url="http://test", http_client=http)
        with client.responses.stream(model=MODEL, input="Hi") as stream:
            final = stream.get_final_response()
    assert final.output_text == "Hi \U0001f600"
    assert [item.type for item in final.output] == ["reasoning", "message", "function_call", "custom_tool_call"]


def _comparable(result: Result) -> Result:
    """What an answer says, without what the gateway puts into it."""
    parts = tuple(structs.replace(part, item_id=None) if isinstance(part, ToolCall) else part for part in result.parts)
    return structs.replace(result, parts=parts, usage=None, provider_cost=None, upstream_id=None)


@pytest.mark.parametrize("case", STREAMS, ids=lambda case: case.name)
def test_a_recorded_stream_says_the_same_behind_the_edit_as_before_it(case: Path) -> None:
    upstream = (case / "upstream.sse").read_bytes()
    out, stream = edited([upstream])
    events = told(out)
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert events[0]["type"] == "response.created"
    shown = [event["response"] for event in events if "response" in event]
    assert len({answer["id"] for answer in shown}) == 1
    assert {answer["model"] for answer in shown} == {MODEL}
    assert out.endswith(DONE)
    if stream.terminal:
        assert _comparable(folded(read(reader(), out))) == _comparable(folded(read(reader(), upstream)))
    else:
        assert events[-1]["type"] == "response.failed"


# --- what stays as it came -----------------------------------------------------------------------------------


def test_everything_else_of_an_event_stays_the_bytes_that_came() -> None:
    stream = edit_stream(opening())
    sent(stream, created())
    event = b'{"type":"response.output_text.delta", "delta":"\\u0041 \\ud83d", "x": {"y": 1.50}, "logprobs":null}'
    assert stream.read(Frame(None, event)) == (
        b"event: response.output_text.delta\n"
        b'data: {"type":"response.output_text.delta","delta":"\\u0041 \\ud83d","x":{"y": 1.50},"logprobs":null,'
        b'"sequence_number":1}\n\n'
    )


def test_types_that_are_not_known_go_on_with_a_number_of_ours() -> None:
    events = events_of(created(), {"type": "response.new_thing", "sequence_number": 70, "x": [1]}, completed())
    assert events[1] == {"type": "response.new_thing", "sequence_number": 1, "x": [1]}


def test_a_type_that_is_not_known_gets_no_id_that_it_does_not_have() -> None:
    begun = (created(), added(0, **message("", "msg_1")))
    for more in ({"output_index": 0}, {"output_index": 0, "item_id": None}):
        new: Told = {"type": "response.new_thing", **more}
        assert events_of(*begun, new)[2] == {**new, "sequence_number": 2}
    known: Told = {"type": "response.web_search_call.searching", "output_index": 0}
    assert events_of(*begun, known)[2]["item_id"] == "msg_1"
    changed: Told = {"type": "response.new_thing", "output_index": 0, "item_id": "msg_2"}
    assert events_of(*begun, changed)[2]["item_id"] == "msg_1"


def test_a_type_that_is_said_otherwise_is_understood() -> None:
    stream = edit_stream(opening())
    sent(stream, created())
    named = stream.read(Frame(b"response.output_text.delta", b'{"delta":"Hi"}'))
    escaped = stream.read(Frame(None, b'{"type":"response\\u002eoutput_text.delta","delta":"Hi"}'))
    assert [told(out)[0]["type"] for out in (named, escaped)] == ["response.output_text.delta"] * 2


@pytest.mark.parametrize("frame", [Frame(None, b"{}"), Frame(b"x y", b"{}"), Frame(None, b'{"type":7,"error":null}')])
def test_what_has_no_type_is_left_out(frame: Frame) -> None:
    assert edit_stream(opening()).read(frame) == b""


def test_an_event_over_several_lines_goes_on_in_one() -> None:
    stream = edit_stream(opening())
    sent(stream, created())
    assert told(stream.read(Frame(None, b'{"type":"x",\n"a":{\r\n"b":"c\\nd"}}')))[0]["a"] == {"b": "c\nd"}


# --- numbers and ids -----------------------------------------------------------------------------------------


def test_numbers_run_from_zero_without_gaps_whatever_came() -> None:
    events = events_of(
        {**created(), "sequence_number": 5},
        {"type": "response.in_progress", "response": response(), "sequence_number": 5},
        {**completed(), "sequence_number": None},
    )
    assert [event["sequence_number"] for event in events] == [0, 1, 2]


def test_the_first_id_of_a_response_is_its_id_to_the_end() -> None:
    events = events_of(
        created(),
        {"type": "response.in_progress", "response": response(id="resp_other")},
        {"type": "response.completed", "response": response(id=None, status="completed", created_at=9)},
    )
    check_sequence(events)
    assert (events[0]["response"]["id"], events[0]["response"]["created_at"]) == ("resp_up", 1767226000)


@pytest.mark.parametrize("id_", [None, "", 7])
def test_a_response_without_an_id_gets_one(id_: Any) -> None:
    events = events_of({"type": "response.created", "response": response(id=id_)}, completed(id=id_))
    check_sequence(events)
    assert events[0]["response"]["id"] == "resp_1"


def test_an_item_keeps_its_first_id() -> None:
    events = events_of(
        created(),
        added(0, type="message", id="msg_a", role="assistant", status="in_progress", content=[]),
        piece("output_text.delta", 0, "msg_b", content_index=0, delta="Hi"),
        done(0, **message("Hi", "msg_c")),
        completed(message("Hi", "msg_d")),
    )
    check_sequence(events)
    assert events[-1]["response"]["output"] == [message("Hi", "msg_a")]


def test_an_item_without_an_id_gets_one() -> None:
    item = {"type": "function_call", "call_id": "c", "name": "look", "arguments": "{}"}
    events = events_of(
        created(),
        added(0, **{**item, "arguments": ""}),
        {"type": "response.function_call_arguments.delta", "output_index": 0, "delta": "{}"},
        done(0, **item),
        completed(item),
    )
    check_sequence(events)
    assert events[1]["item"]["id"].startswith("fc_")


def test_an_id_that_a_piece_names_first_is_the_items() -> None:
    events = events_of(
        created(), piece("output_text.delta", 0, "msg_a", delta="Hi"), done(0, **message("Hi", "msg_b")), completed()
    )
    assert events[2]["item"]["id"] == events[-1]["response"]["output"][0]["id"] == "msg_a"


@pytest.mark.parametrize("output", [[], [message("Hi", "msg_new")], None, "x"])
def test_an_output_that_tells_less_than_came_is_what_came(output: Any) -> None:
    thought: Told = {"type": "reasoning", "id": "rs_1", "summary": []}
    items = [thought, message("Hi", "msg_1")]
    last = {"type": "response.completed", "response": response(status="completed", output=output)}
    events = events_of(created(), done(1, **items[1]), done(0, **items[0]), last)
    assert events[-1]["response"]["output"] == items


def test_an_output_in_another_order_keeps_its_ids() -> None:
    thought: Told = {"type": "reasoning", "id": "rs_1", "summary": []}
    output = [message("Hi", "msg_1"), thought, "x"]
    last = {"type": "response.completed", "response": response(status="completed", output=output)}
    assert events_of(created(), done(0, **thought), last)[-1]["response"]["output"] == output


# --- what upstreams leave out --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "first",
    [
        {"type": "response.in_progress", "response": response()},
        added(0, **message("Hi", "msg_1")),
        {"type": "response.new_thing"},
        completed(),
    ],
)
def test_a_stream_that_does_not_begin_is_begun(first: Told) -> None:
    events = events_of(first, completed())
    assert [event["type"] for event in events][:1] == ["response.created"]
    check_clients(events[:1])
    assert len({event["response"]["id"] for event in events if "response" in event}) == 1


def test_a_stream_begins_once() -> None:
    events = events_of({"type": "response.queued", "response": response(status="queued")}, created(), completed())
    assert [event["type"] for event in events] == ["response.created", "response.queued", "response.completed"]
    assert events[1]["response"]["status"] == "queued"


def test_the_responses_of_a_stream_have_all_that_clients_need() -> None:
    begun: Told = {"type": "response.created", "response": {"id": "resp_up"}}
    ended: Told = {"type": "response.completed", "response": {"id": "resp_up"}}
    events = events_of(begun, ended, of=opening(b'{"temperature":0.20,"metadata":{"a":"b"}}'))
    check_sequence(events)
    check_clients(events)
    for event in events:
        assert (event["response"]["temperature"], event["response"]["metadata"]) == (0.2, {"a": "b"})
    assert (events[0]["response"]["status"], events[0]["response"]["usage"]) == ("in_progress", None)
    assert events[1]["response"]["status"] == "completed"
    assert events[1]["response"]["completed_at"] == events[1]["response"]["created_at"]


def test_pieces_have_the_keys_that_clients_need() -> None:
    events = events_of(
        created(),
        piece("output_text.delta", 0, "msg_1", content_index=0, delta="Hi"),
        piece("output_text.done", 0, "msg_1", content_index=0, text="Hi"),
        added(1, type="function_call", id="fc_1", call_id="c", name="look", arguments=""),
        piece("function_call_arguments.done", 1, "fc_1", arguments="{}"),
        completed(),
    )
    assert (events[1]["logprobs"], events[2]["logprobs"], events[4]["name"]) == ([], [], "look")
    check_clients(events)


def test_a_name_is_told_where_clients_need_it_and_nowhere_else() -> None:
    events = events_of(
        created(),
        added(0, type="function_call", id="fc_1", call_id="c", name="look", arguments=""),
        piece("function_call_arguments.delta", 0, "fc_1", delta="{}"),
        piece("function_call_arguments.done", 0, "fc_1", arguments="{}", name="said"),
        piece("function_call_arguments.done", 1, "fc_2", arguments="{}"),
        completed(),
    )
    assert [event.get("name", "-") for event in events[2:5]] == ["-", "said", "-"]


def test_a_place_of_any_length_is_a_place() -> None:
    stream = edit_stream(opening())
    event = b'{"type":"response.output_item.done","output_index":%b,"item":{"id":"x"}}'
    stream.read(Frame(None, event % (b"1" * 5000)))
    assert told(stream.fail(BROKEN, None))[-1]["response"]["output"] == [{"id": "x"}]


def test_what_went_upstream_is_shown_behind_the_first_event() -> None:
    shown = (Stamp("gen-1", "m", "P", 1), Raw(b'{"model":"sage"}'))
    events = events_of(created(), completed(), of=opening(debug=(shown, shown)))
    assert [event["type"] for event in events][:3] == ["response.created", "response.debug", "response.debug"]
    assert events[1]["debug"] == {"echo_upstream_body": {"model": "sage"}}
    assert [event["type"] for event in events_of(completed(), of=opening(debug=(shown,)))][1] == "response.debug"


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
