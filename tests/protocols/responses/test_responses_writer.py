"""Answers of other dialects, written as the stream of a responses client."""

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
    LENGTH_ERRORS,
    MODEL,
    check_clients,
    check_pieces,
    check_sequence,
    folded,
    opening,
    read,
    told,
)
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
from setpoint.canonical.fold import unfold
from setpoint.canonical.parts import Citation, Media, Reasoning, Refusal, Text, ToolCall
from setpoint.canonical.result import Finish, Result
from setpoint.canonical.usage import Usage
from setpoint.errors import GatewayError, ProviderError
from setpoint.protocols.answer import Bill, Stamp
from setpoint.protocols.responses.items import write_items
from setpoint.protocols.responses.reader import reader
from setpoint.protocols.responses.reading import read_conversation
from setpoint.protocols.responses.request import finish_request
from setpoint.protocols.responses.writer import writer
from setpoint.protocols.seals import read_seal
from setpoint.protocols.terms import Terms
from setpoint.wire.body import raw, split
from setpoint.wire.sse import DONE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from protocols.responses.responses_support import Told
    from setpoint.canonical.events import Event
    from setpoint.canonical.parts import Part
    from setpoint.protocols.answer import Opening

OWN = "openai-responses-v1"
STOP = Finish(reason="stop", native="end_turn")
BROKEN = ProviderError("provider_unavailable", "the stream was cut")


def written(events: Iterable[Event], bill: Bill = BILL, of: Opening | None = None) -> bytes:
    """The whole stream of an answer that ends as it should."""
    skin = writer(of or opening())
    return b"".join([skin.write(event) for event in events]) + skin.end(bill, None)


def events_of(*parts: Part, finish: Finish = STOP) -> list[Told]:
    """The events that tell of these parts."""
    return told(written(unfold(Result(parts=parts, finish=finish))))


def kinds(events: Iterable[Told]) -> list[str]:
    return [event["type"].removeprefix("response.") for event in events]


def check(events: list[Told]) -> None:
    check_sequence(events)
    check_pieces(events)
    check_clients(events)


def call(name: str = "look", id_: str = "call_1", arguments: str = "", **more: Any) -> ToolCall:
    return ToolCall(id=id_, name=name, arguments=raw(arguments), **more)


# --- any answer ----------------------------------------------------------------------------------------------

_STRINGS = st.text(st.characters(codec=None, exclude_categories=()), max_size=6)
_RAWS = _STRINGS.map(raw)
_SOMETHING = _STRINGS.filter(bool).map(raw)
_CITATIONS = st.builds(
    Citation, url=_RAWS, title=_RAWS, quoted=st.none() | _RAWS, start=st.integers(0, 99), end=st.integers(0, 99)
)
_TEXTS = st.builds(Text, text=_RAWS, citations=st.lists(_CITATIONS, max_size=2).map(tuple))
_REFUSALS = st.builds(Refusal, text=_RAWS)
_CALLS = st.builds(
    ToolCall,
    id=st.uuids().map(str),
    name=_STRINGS.filter(bool),
    arguments=_RAWS,
    kind=st.sampled_from(["function", "custom"]),
    namespace=st.none() | _STRINGS,
)
_ACTIONS = {
    "shell": '{"timeout_ms":null,"max_output_length":9,"commands":["ls"]}',
    "local_shell": '{"env":{},"command":["ls"],"timeout_ms":5}',
    "apply_patch": '{"type":"delete_file","path":"a"}',
}
_OWN_CALLS = st.sampled_from(sorted(_ACTIONS)).flatmap(
    lambda kind: st.builds(
        ToolCall, id=st.uuids().map(str), name=st.just(kind), kind=st.just(kind), arguments=st.just(raw(_ACTIONS[kind]))
    )
)
_IMAGES = st.builds(Media, kind=st.just("image"), data=_SOMETHING, media_type=st.just("image/png"))


@st.composite
def _reasonings(draw: st.DrawFn) -> list[Reasoning]:
    """One item's reasoning of this protocol's own making, sealed or not."""
    like = Reasoning(
        kind="text",
        maker="responses",
        id=f"rs_{draw(st.uuids())}",
        format=draw(st.sampled_from([OWN, "xai-responses-v1"])),
    )
    steps = [
        structs.replace(like, kind=draw(st.sampled_from(["text", "summary"])), text=draw(_SOMETHING))
        for _ in range(draw(st.integers(0, 3)))
    ]
    seal = draw(st.sampled_from(["encrypted", "signature", "none"])) if steps else "encrypted"
    if seal == "encrypted":
        steps.append(structs.replace(like, kind="encrypted", seal=draw(_SOMETHING)))
    elif seal == "signature" and steps[-1].kind == "text":
        steps[-1] = structs.replace(steps[-1], seal=raw("signed"))
    return steps


_PART_LISTS = st.lists(
    st.one_of((_TEXTS | _REFUSALS | _CALLS | _OWN_CALLS | _IMAGES).map(lambda part: [part]), _reasonings()), max_size=5
).map(lambda lists: tuple(part for parts in lists for part in parts))


@st.composite
def _results(draw: st.DrawFn) -> Result:
    parts = draw(_PART_LISTS)
    ends = {
        "length": Finish(reason="length", native="max_output_tokens"),
        "content_filter": Finish(reason="content_filter", native="content_filter"),
        "whole": Finish(
            reason="tool_calls" if any(isinstance(part, ToolCall) for part in parts) else "stop", native="completed"
        ),
    }
    scores = raw([{"token": "a", "logprob": -0.5, "bytes": [97], "top_logprobs": []}])
    return Result(
        parts=parts,
        finish=ends[draw(st.sampled_from(sorted(ends)))],
        usage=draw(st.builds(Usage, input_tokens=st.integers(0, 99), output_tokens=st.integers(0, 99))),
        provider_cost=draw(st.none() | st.decimals(0, 9, places=6)),
        service_tier=draw(st.none() | st.just("flex")),
        logprobs=scores if parts and isinstance(parts[-1], Text) and draw(st.booleans()) else None,
    )


def comparable(result: Result) -> Result:
    """A result without the ids that its writer chooses."""
    parts = tuple(structs.replace(part, item_id=None) if isinstance(part, ToolCall) else part for part in result.parts)
    return structs.replace(result, parts=parts, upstream_id=None)


@given(_results())
def test_what_is_written_is_read_again_and_obeys_every_rule(result: Result) -> None:
    assert result.usage
    out = written(unfold(result), Bill(result.usage, None, result.provider_cost))
    assert out.endswith(DONE)
    check_sequence(told(out))
    check_pieces(told(out))
    assert comparable(folded(read(reader(), out))) == result


@st.composite
def _side_by_side(draw: st.DrawFn) -> list[Event]:
    """Parts that are open side by side, as the parallel calls of the chat protocol are."""
    events: list[Event] = [Began("up_1", None)]
    open_: list[int] = []
    for number in range(draw(st.integers(1, 4))):
        head = draw(st.sampled_from([Text(text=raw("")), Refusal(text=raw("")), call(id_=f"call_{number}")]))
        events.append(PartBegan(number, head))
        open_.append(number)
        for part, text in draw(st.lists(st.tuples(st.sampled_from(open_), st.none() | _RAWS), max_size=3)):
            if part in open_:
                events.append(PartEnded(part) if text is None else Grew(part, text))
                open_ = [other for other in open_ if other != part or text is not None]
    return [*events, *map(PartEnded, open_), Finished(STOP)]


@given(_side_by_side())
def test_parts_that_are_open_side_by_side_keep_their_places(events: list[Event]) -> None:
    out = written(events)
    check_sequence(told(out))
    check_pieces(told(out))
    assert comparable(folded(read(reader(), out))).parts == folded(events).parts


@given(_side_by_side(), st.integers(0, 30))
def test_a_stream_that_breaks_anywhere_ends_as_failed(events: list[Event], at: int) -> None:
    skin = writer(opening())
    out = b"".join([skin.write(event) for event in events[: min(at, len(events) - 1)]]) + skin.fail(BROKEN, None)
    assert out.endswith(DONE)
    check_sequence(told(out))
    check_pieces(told(out))
    assert told(out)[-1]["response"]["status"] == "failed"


@pytest.mark.parametrize(
    "parts",
    [
        (Text(text=raw("Hi"), citations=(Citation(url=raw("https://a"), title=raw("A"), start=0, end=2),)),),
        (Refusal(text=raw("No")),),
        (
            Reasoning(kind="summary", text=raw("Hm"), maker="messages"),
            Reasoning(kind="encrypted", seal=raw("s")),
            call(),
        ),
        (Reasoning(kind="text", text=raw("Hm")), call(kind="custom"), call("other", "call_2", namespace="files")),
        (ToolCall(id="c", name="shell", kind="shell", arguments=raw(_ACTIONS["shell"])),),
        (ToolCall(id="c", name="shell", kind="shell", arguments=raw("not JSON")),),
        (ToolCall(id="c", name="apply_patch", kind="apply_patch", arguments=raw(_ACTIONS["apply_patch"])),),
        (Media(kind="image", data=raw("AAAA"), media_type="image/png"),),
    ],
)
@pytest.mark.parametrize("reason", ["stop", "length", "content_filter"])
def test_the_official_clients_take_every_event(parts: tuple[Part, ...], reason: Any) -> None:
    check(events_of(*parts, finish=Finish(reason=reason, native="?")))


def test_the_official_client_holds_a_whole_stream_together() -> None:
    parts = (
        Reasoning(kind="summary", text=raw("Let me see."), maker="messages", id="x"),
        Text(text=raw("Hi ")),
        Text(text=raw("there")),
        call(),
        call("look", "call_2"),
    )
    out = written(unfold(Result(parts=parts, finish=Finish(reason="tool_calls", native="tool_use"))))

    def answer(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=out)

    with httpx2.Client(transport=httpx2.MockTransport(answer)) as http:
        client = OpenAI(api_key="k", base_url="http://test", http_client=http)
        with client.responses.stream(model=MODEL, input="Hi") as stream:
            events = list(stream)
            final = stream.get_final_response()
    assert final.output_text == "Hi there"
    assert [item.type for item in final.output] == ["reasoning", "message", "function_call", "function_call"]
    assert final.usage
    assert final.usage.total_tokens == 10
    assert [event.snapshot for event in events if event.type == "response.output_text.delta"] == ["Hi ", "there"]


# --- the order of events -------------------------------------------------------------------------------------


def test_a_text_is_told_in_the_documented_order() -> None:
    events = events_of(Text(text=raw("Hi")))
    assert kinds(events) == [
        *("created", "in_progress", "output_item.added", "content_part.added", "output_text.delta"),
        *("output_text.done", "content_part.done", "output_item.done", "completed"),
    ]
    check(events)


def test_a_call_is_told_with_its_name_at_the_end_of_its_arguments() -> None:
    events = events_of(call(arguments='{"at":1}'))
    assert kinds(events)[2:-1] == [
        *("output_item.added", "function_call_arguments.delta", "function_call_arguments.done", "output_item.done"),
    ]
    assert (events[4]["arguments"], events[4]["name"]) == ('{"at":1}', "look")


def test_free_text_for_a_tool_is_told_as_its_input() -> None:
    events = events_of(ToolCall(id="c", name="patch", kind="custom", arguments=raw("*** Begin")))
    assert kinds(events)[2:-1] == [
        *("output_item.added", "custom_tool_call_input.delta", "custom_tool_call_input.done", "output_item.done"),
    ]
    assert events[4]["input"] == "*** Begin"


def test_an_action_is_told_only_whole() -> None:
    events = events_of(ToolCall(id="c", name="shell", kind="shell", arguments=raw(_ACTIONS["shell"])))
    assert kinds(events)[2:-1] == ["output_item.added", "output_item.done"]
    assert events[2]["item"]["action"] == events[3]["item"]["action"] == json.loads(_ACTIONS["shell"])
    assert (events[2]["item"]["status"], events[3]["item"]["status"]) == ("in_progress", "completed")


def test_an_action_of_another_shape_has_the_id_of_the_function_call_that_it_is_written_as() -> None:
    malformed = call("shell", kind="shell", arguments="rm")
    events = events_of(malformed, call("shell", "call_2", '{"commands":["ls"]}', kind="shell"))
    check(events)
    first, second = events[-1]["response"]["output"]
    assert (first["type"], first["id"][:3]) == ("function_call", "fc_")
    assert (second["type"], second["id"][:3]) == ("shell_call", "sh_")


def test_a_picture_is_there_when_its_item_is_complete() -> None:
    events = events_of(Media(kind="image", data=raw("AAAA"), media_type="image/png"))
    assert kinds(events)[2:-1] == ["output_item.added", "output_item.done"]
    assert (events[2]["item"]["result"], events[3]["item"]["result"]) == (None, "AAAA")


def test_what_the_protocol_has_no_item_for_is_left_out() -> None:
    sound = Media(kind="audio", data=raw("AAAA"), media_type="wav")
    assert kinds(events_of(sound)) == ["created", "in_progress", "completed"]
    assert kinds(told(written([Unsaid("server_tool_use"), Finished(STOP)]))) == ["created", "in_progress", "completed"]


def test_neighbouring_texts_are_parts_of_one_message() -> None:
    events = events_of(Text(text=raw("Hi")), Refusal(text=raw("No")), call(), Text(text=raw("Ho")))
    output = events[-1]["response"]["output"]
    assert [[part["type"] for part in item.get("content", [])] for item in output] == [
        ["output_text", "refusal"],
        [],
        ["output_text"],
    ]
    assert [event["content_index"] for event in events if event["type"] == "response.content_part.added"] == [0, 1, 0]


def test_a_message_is_not_done_before_it_is_clear_that_nothing_more_belongs_to_it() -> None:
    skin = writer(opening())
    begun = [PartBegan(0, Text(text=raw(""))), Grew(0, raw("Hi")), PartEnded(0)]
    assert "output_item.done" not in kinds(told(b"".join([skin.write(event) for event in begun])))
    assert kinds(told(skin.write(PartBegan(1, call()))))[:3] == [
        *("output_text.done", "content_part.done", "output_item.done"),
    ]


# --- reasoning -----------------------------------------------------------------------------------------------


def test_steps_of_one_reasoning_share_an_item_with_the_seal_in_it() -> None:
    like = Reasoning(kind="summary", maker="responses", format=OWN, id="rs_1")
    events = events_of(
        structs.replace(like, text=raw("One")),
        structs.replace(like, text=raw("Two")),
        structs.replace(like, kind="text", text=raw("Three")),
        structs.replace(like, kind="encrypted", seal=raw("sealed")),
    )
    assert events[-1]["response"]["output"] == [
        {
            "type": "reasoning",
            "id": "rs_1",
            "summary": [{"type": "summary_text", "text": "One"}, {"type": "summary_text", "text": "Two"}],
            "content": [{"type": "reasoning_text", "text": "Three"}],
            "encrypted_content": "sealed",
            "status": "completed",
        }
    ]
    assert [event["summary_index"] for event in events if "summary_index" in event] == [0] * 4 + [1] * 4
    assert "encrypted_content" not in events[2]["item"]


def test_the_seal_of_another_dialect_is_wrapped_with_its_makers_name() -> None:
    thought = Reasoning(kind="text", text=raw("Hm"), seal=raw("signed"), maker="messages", format="anthropic-claude-v1")
    item = events_of(thought)[-1]["response"]["output"][0]
    assert item["content"] == [{"type": "reasoning_text", "text": "Hm"}]
    assert read_seal(raw(item["encrypted_content"])) == structs.replace(thought, text=None)


@pytest.mark.parametrize("family", [None, "unknown"])
def test_unsealed_reasoning_of_another_dialect_comes_back_as_what_it_was(family: str | None) -> None:
    thought = Reasoning(kind="text", text=raw("Hm"), maker="chat", format=family)
    events = events_of(thought, call())
    check(events)
    assert "encrypted_content" not in events[2]["item"]
    request = split(json.dumps({"input": events[-1]["response"]["output"]}).encode())
    (turn,) = read_conversation(request)
    assert structs.replace(turn.parts[0], path="") == thought
    own, _ = finish_request({"input": request["input"]}, Terms(), request)
    assert [item["type"] for item in json.loads(bytes(own["input"]))] == ["function_call"]


def test_every_sealed_step_has_an_item_of_its_own() -> None:
    thought = Reasoning(kind="text", text=raw("Hm"), seal=raw("signed"), maker="messages")
    events = events_of(thought, thought)
    check(events)
    assert len(events[-1]["response"]["output"]) == 2


def test_a_step_that_is_nothing_but_sealed_has_no_part() -> None:
    events = events_of(Reasoning(kind="encrypted", seal=raw("sealed"), maker="messages"))
    assert kinds(events)[2:-1] == ["output_item.added", "output_item.done"]


# --- beside the words ----------------------------------------------------------------------------------------


def test_sources_are_told_when_they_come_and_again_in_the_item() -> None:
    link = Citation(url=raw("https://a"), title=raw("A"), start=1, end=2)
    place = Citation(kind="char_location", body=raw({}))
    events = events_of(Text(text=raw("Hi"), citations=(place, link, link)))
    annotations = [event for event in events if event["type"] == "response.output_text.annotation.added"]
    assert [event["annotation_index"] for event in annotations] == [0, 1]
    content = events[-1]["response"]["output"][0]["content"]
    assert content[0]["annotations"] == [event["annotation"] for event in annotations]
    check(events)


def test_log_probabilities_ride_on_pieces_and_stand_in_the_item() -> None:
    scores = [{"token": "Hi", "logprob": -0.1, "bytes": [72, 105], "top_logprobs": []}]
    events = told(
        written(
            [
                Scored(raw(scores)),
                PartBegan(0, Text(text=raw(""))),
                Grew(0, raw("Hi")),
                Scored(raw(scores)),
                PartEnded(0),
                Finished(STOP),
            ]
        )
    )
    check(events)
    assert [event["logprobs"] for event in events if event["type"].endswith("text.delta")] == [scores, [], scores]
    assert next(event for event in events if event["type"].endswith("text.done"))["logprobs"] == scores * 2
    assert events[-1]["response"]["output"][0]["content"][0]["logprobs"] == scores * 2


def test_log_probabilities_have_all_that_clients_require() -> None:
    given = [
        {"token": "é", "logprob": -0.1, "bytes": None, "top_logprobs": [{"token": "e", "logprob": -2}, {}]},
        {"token": "\ud800", "logprob": 0},
        {"logprob": -1},
    ]
    scores = [
        {
            "token": "é",
            "logprob": -0.1,
            "bytes": [0xC3, 0xA9],
            "top_logprobs": [{"token": "e", "logprob": -2, "bytes": [0x65]}],
        },
        {"token": "\ud800", "logprob": 0, "bytes": [0xED, 0xA0, 0x80], "top_logprobs": []},
    ]
    text = [PartBegan(0, Text(text=raw(""))), Grew(0, raw("é")), Scored(raw(given)), PartEnded(0), Finished(STOP)]
    events = told(written(text))
    assert next(event for event in events if event.get("logprobs"))["logprobs"] == scores
    assert events[-1]["response"]["output"][0]["content"][0]["logprobs"] == scores
    check_clients(told(written([text[0], text[1], Scored(raw(given[:1])), *text[3:]])))
    (whole,) = write_items([Text(text=raw("é"))], str, logprobs=raw(given))
    assert json.loads(bytes(whole["content"]))[0]["logprobs"] == scores


def test_log_probabilities_behind_the_end_of_their_text_are_left_out() -> None:
    text = [PartBegan(0, Text(text=raw(""))), PartEnded(0), PartBegan(1, call()), PartEnded(1)]
    check(told(written([*text, Scored(raw([{"token": "a", "logprob": 0}])), Finished(STOP)])))


def test_a_call_without_an_id_gets_one_that_it_keeps() -> None:
    events = events_of(call(id_=""))
    ids = {event["item"]["call_id"] for event in events if "item" in event}
    assert len(ids) == 1
    assert ids.pop().startswith("call_")


# --- the end -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("reason", "why"), [("length", "max_output_tokens"), ("content_filter", "content_filter")])
def test_an_answer_that_was_cut_short_is_incomplete_in_its_last_item(reason: Any, why: str) -> None:
    events = events_of(call(), call("cut", "call_2"), finish=Finish(reason=reason, native="?"))
    answer = events[-1]["response"]
    assert events[-1]["type"] == "response.incomplete"
    assert (answer["status"], answer["incomplete_details"], answer["completed_at"]) == (
        "incomplete",
        {"reason": why},
        None,
    )
    assert [item["status"] for item in answer["output"]] == ["completed", "incomplete"]


def test_the_last_event_has_the_usage_the_tier_and_the_metadata() -> None:
    skin = writer(opening())
    skin.write(Began("up", "auto"))
    skin.write(Began(None, "flex"))
    skin.write(Finished(STOP))
    skin.write(Counted(Usage(input_tokens=1)))
    answer = told(skin.end(Bill(Usage(input_tokens=2, output_tokens=1), None, Decimal("0.5")), raw({"a": 1})))[0][
        "response"
    ]
    assert (answer["usage"]["total_tokens"], answer["usage"]["cost"], answer["usage"]["is_byok"]) == (3, 0.5, True)
    assert (answer["service_tier"], answer["openrouter_metadata"]) == ("flex", {"a": 1})
    assert answer["completed_at"] == answer["created_at"]


@pytest.mark.parametrize("line_end", [b"\n", b"\r", b"\r\n"])
def test_a_request_written_over_several_lines_is_echoed_on_one(line_end: bytes) -> None:
    request = b'{"metadata":{' + line_end + b'"a":"b"},"instructions":"c\\nd"}'
    out = written([Finished(STOP)], of=opening(request))
    assert b"\r" not in out
    assert told(out)[0]["response"]["metadata"] == {"a": "b"}
    assert told(out)[-1]["response"]["instructions"] == "c\nd"


def test_what_went_upstream_is_shown_behind_the_first_events() -> None:
    sent = (Stamp("gen-1", "m", "P", 1), Raw(b'{"model":"sage", "temperature":1.50}'))
    out = written([Began(), Finished(STOP)], of=opening(debug=(sent, sent)))
    assert kinds(told(out)) == ["created", "in_progress", "debug", "debug", "completed"]
    assert b'"debug":{"echo_upstream_body":{"model":"sage", "temperature":1.50}}' in out
    check_clients(told(out))
    failed = writer(opening(debug=(sent,))).fail(BROKEN, None)
    assert kinds(told(failed)) == ["created", "debug", "failed"]


def test_a_failure_before_anything_was_said_is_a_response_that_failed() -> None:
    out = writer(opening()).fail(BROKEN, raw({"a": 1}))
    assert out.endswith(DONE)
    events = told(out)
    check_sequence(events)
    assert kinds(events) == ["created", "failed"]
    answer = events[-1]["response"]
    assert (answer["error"]["code"], answer["error_type"]) == ("server_error", "provider_unavailable")
    assert (answer["output"], answer["openrouter_metadata"]) == ([], {"a": 1})


def test_a_failure_of_ours_tells_no_metadata_and_no_cause() -> None:
    answer = told(writer(opening()).fail(GatewayError("server", "secret"), raw({"a": 1})))[-1]["response"]
    assert "openrouter_metadata" not in answer
    assert "secret" not in answer["error"]["message"]


_CUT = (
    *(PartBegan(0, Reasoning(kind="text")), Sealed(0, raw("s")), PartEnded(0)),
    *(PartBegan(1, Text(text=raw(""))), Grew(1, raw("Hi"))),
    *(PartBegan(2, call()), Grew(2, raw('{"a'))),
)


def cut(error: ProviderError, *events: Event) -> list[Told]:
    """The events of a stream that breaks behind these."""
    skin = writer(opening())
    out = b"".join([skin.write(event) for event in events]) + skin.fail(error, None)
    assert out.endswith(DONE)
    check_sequence(told(out))
    check_clients(told(out))
    return told(out)


def test_a_failure_in_the_middle_keeps_all_that_came() -> None:
    events = cut(BROKEN, *_CUT)
    thought, text, action = events[-1]["response"]["output"]
    assert (thought["type"], thought["status"]) == ("reasoning", "completed")
    assert (text["content"][0]["text"], text["status"]) == ("Hi", "incomplete")
    assert (action["arguments"], action["status"]) == ('{"a', "incomplete")
    assert kinds(events).count("output_item.done") == 1  # what is told as done would be carried out


def test_an_action_that_is_told_only_whole_is_not_told_of_a_stream_that_breaks() -> None:
    begun = PartBegan(0, call("shell", kind="shell"))
    assert cut(BROKEN, begun, Grew(0, raw('{"commands":["rm"')))[-1]["response"]["output"] == []


@pytest.mark.parametrize("type_", LENGTH_ERRORS)
def test_an_answer_that_gets_too_long_is_incomplete_and_no_failure(type_: Any) -> None:
    events = cut(ProviderError(type_, "too long"), *_CUT)
    check(events)
    answer = events[-1]["response"]
    assert (events[-1]["type"], answer["status"], answer["error"]) == ("response.incomplete", "incomplete", None)
    assert answer["incomplete_details"] == {"reason": "max_output_tokens"}
    assert "error_type" not in answer
    assert [item["status"] for item in answer["output"]] == ["completed", "incomplete", "incomplete"]


def test_a_failure_tells_what_was_counted() -> None:
    assert cut(BROKEN)[-1]["response"]["usage"] is None
    usage = cut(BROKEN, Counted(Usage(input_tokens=10, output_tokens=4), None))[-1]["response"]["usage"]
    assert (usage["input_tokens"], usage["output_tokens"], usage["total_tokens"]) == (10, 4, 14)
    assert usage["cost"] is None


def test_an_event_about_a_part_that_is_left_out_says_nothing() -> None:
    skin = writer(opening())
    skin.write(PartBegan(0, Media(kind="audio", data=raw("AAAA"))))
    assert skin.write(PartEnded(0)) == b""
    assert skin.write(Cited(0, Citation(url=raw("u")))) == b""
