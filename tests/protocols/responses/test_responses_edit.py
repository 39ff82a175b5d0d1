"""Streams of a responses upstream, edited for a responses client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from msgspec import Raw, structs
from openai import OpenAI

from protocols.responses.responses_edit_support import BROKEN, edited, events_of, sent
from protocols.responses.responses_support import (
    EVERYTHING,
    MODEL,
    STREAMS,
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
from setpoint.protocols.answer import Outcome, Stamp
from setpoint.protocols.responses.edit import edit_stream
from setpoint.protocols.responses.reader import reader
from setpoint.wire.sse import DONE, Frame

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from protocols.responses.responses_support import Told
    from setpoint.canonical.result import Result

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
