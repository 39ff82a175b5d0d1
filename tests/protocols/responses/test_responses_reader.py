"""Streams of a responses upstream, read into events."""

from __future__ import annotations

import json
from collections import Counter
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw, structs

from protocols.responses.responses_support import (
    BILL,
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
    opening,
    piece,
    read,
    response,
    sse,
    told,
)
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
from setpoint.canonical.fold import unfold
from setpoint.canonical.parts import Citation, Media, Reasoning, Refusal, Text, ToolCall
from setpoint.canonical.result import Finish, Result
from setpoint.canonical.usage import Usage
from setpoint.errors import ProviderError
from setpoint.protocols.answer import StreamFailedError
from setpoint.protocols.responses.reader import reader
from setpoint.protocols.responses.writer import writer
from setpoint.wire.body import raw, value
from setpoint.wire.sse import Frame, FrameReader

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from protocols.responses.responses_support import Told
    from setpoint.canonical.parts import Part

OWN = "openai-responses-v1"
FINISHED = Finish(reason="stop", native="completed")


def result_of(*events: Told) -> Result:
    """The answer that a stream of these events makes."""
    return folded(checked(read(reader(), sse(*events))))


def parts_of(*events: Told) -> tuple[Part, ...]:
    return result_of(created(), *events).parts


def checked(events: list[Event]) -> list[Event]:
    """The events, which must be in an order that every writer can rely on."""
    open_: set[int] = set()
    begun = 0
    for event in events:
        match event:
            case PartBegan(part):
                assert part == begun
                begun += 1
                open_.add(part)
            case PartEnded(part):
                open_.remove(part)
            case Grew(part) | Cited(part) | Sealed(part):
                assert part in open_
            case Finished():
                assert not open_
            case _:
                pass
    assert not events or isinstance(events[0], Began)
    assert sum(isinstance(event, Finished) for event in events) <= 1
    names = [event.name for event in events if isinstance(event, Unsaid)]
    assert len(names) == len(set(names))
    return events


def text_of(*parts: Part) -> list[str]:
    return [value(part.text) for part in parts if isinstance(part, Text | Refusal)]


# --- a whole stream ------------------------------------------------------------------------------------------

_LIKE = Reasoning(kind="summary", maker="responses", format=OWN, id="rs_1")
EVERYTHING_SAID = Result(
    parts=(
        structs.replace(_LIKE, text=raw("Let me see.")),
        structs.replace(_LIKE, kind="encrypted", seal=raw("gAAA")),
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


# --- told in pieces, whole, or both --------------------------------------------------------------------------

_SAID = Result(
    parts=(
        structs.replace(_LIKE, text=raw("One")),
        structs.replace(_LIKE, text=raw("Two")),
        structs.replace(_LIKE, kind="text", text=raw("Three")),
        structs.replace(_LIKE, kind="encrypted", seal=raw("gAAA")),
        Text(text=raw("Hi"), citations=(Citation(url=raw("https://a"), title=raw("A"), start=0, end=2),)),
        Refusal(text=raw("No")),
        ToolCall(id="call_1", name="look", arguments=raw('{"a":1}')),
        ToolCall(id="call_2", name="patch", arguments=raw("*** Begin"), kind="custom"),
        ToolCall(
            id="call_3", name="apply_patch", arguments=raw('{"type":"delete_file","path":"a"}'), kind="apply_patch"
        ),
        Media(kind="image", data=raw("AAAA"), media_type="image/png"),
        Text(text=raw("Ho")),
    ),
    finish=Finish(reason="tool_calls", native="completed"),
    usage=BILL.usage,
)


def _stream_of(result: Result) -> list[Told]:
    skin = writer(opening())
    return told(b"".join(map(skin.write, unfold(result))) + skin.end(BILL, None))


_TOLD = _stream_of(_SAID)


def _without_ids(parts: Iterable[Part]) -> Counter[bytes]:
    """Parts in no order, without the ids of their items."""
    plain = [
        structs.replace(part, item_id=None)
        if isinstance(part, ToolCall)
        else structs.replace(part, id=None)
        if isinstance(part, Reasoning)
        else part
        for part in parts
    ]
    return Counter(bytes(raw([type(part).__name__, part])) for part in plain)


@given(st.sets(st.sampled_from(sorted({event["type"] for event in _TOLD[:-1]}))))
def test_whatever_an_upstream_leaves_out_the_rest_of_its_stream_tells(left_out: set[str]) -> None:
    kept = [event for event in _TOLD if event["type"] not in left_out]
    result = result_of(*kept)
    assert _without_ids(result.parts) == _without_ids(_SAID.parts)
    assert (result.finish, result.usage) == (_SAID.finish, _SAID.usage)


@given(st.sets(st.sampled_from(sorted({event["type"] for event in _TOLD[:-1] if not event["type"].endswith(".done")}))))
def test_items_that_are_told_whole_need_no_output_at_the_end(left_out: set[str]) -> None:
    last: Told = {"type": "response.completed", "response": {**_TOLD[-1]["response"], "output": []}}
    result = result_of(*(event for event in _TOLD[:-1] if event["type"] not in left_out), last)
    assert _without_ids(result.parts) == _without_ids(_SAID.parts)
    assert result.finish == _SAID.finish


def test_nothing_is_told_twice() -> None:
    texts = [event for event in read(reader(), sse(*EVERYTHING)) if isinstance(event, Grew | Scored | Cited | Sealed)]
    assert len(texts) == 10


def test_the_end_of_a_text_whose_pieces_stopped_early_still_comes() -> None:
    assert text_of(
        *parts_of(
            added(0, type="message", id="msg_1", content=[]),
            piece("output_text.delta", 0, "msg_1", content_index=0, delta="Hi \u00e9"),
            piece("output_text.done", 0, "msg_1", content_index=0, text="Hi \u00e9, you"),
            completed(message("Hi \u00e9, you there", "msg_1")),
        )
    ) == ["Hi é, you there"]


def test_a_text_that_is_cut_inside_a_character_is_whole_again() -> None:
    parts = parts_of(
        piece("output_text.delta", 0, "msg_1", content_index=0, delta="Hi \ud83d"),
        piece("output_text.delta", 0, "msg_1", content_index=0, delta="\ude00"),
        done(0, **message("Hi \U0001f600!", "msg_1")),
        completed(),
    )
    assert text_of(*parts) == ["Hi \U0001f600!"]


def test_a_whole_text_that_is_not_what_came_in_pieces_changes_nothing() -> None:
    parts = parts_of(
        piece("output_text.delta", 0, "msg_1", content_index=0, delta="Hi"),
        done(0, **message("Ho", "msg_1")),
        completed(),
    )
    assert text_of(*parts) == ["Hi"]


def test_a_call_waits_for_its_name() -> None:
    events = read(
        reader(),
        sse(
            created(),
            piece("function_call_arguments.delta", 0, "fc_1", delta='{"a":'),
            added(0, type="function_call", id="fc_1", call_id="call_1"),
            piece("function_call_arguments.delta", 0, "fc_1", delta="1}"),
            done(0, type="function_call", id="fc_1", call_id="call_1", name="look", arguments='{"a":1}'),
            completed(),
        ),
    )
    result = folded(checked(events))
    assert result.parts == (ToolCall(id="call_1", name="look", arguments=raw('{"a":1}'), item_id="fc_1"),)
    assert result.finish
    assert result.finish.reason == "tool_calls"


def test_a_call_whose_name_comes_behind_its_first_pieces_is_told_whole() -> None:
    parts = parts_of(
        piece("function_call_arguments.delta", 0, "fc_1", delta='{"a":'),
        added(0, type="function_call", id="fc_1", call_id="call_1", name="look", arguments=""),
        piece("function_call_arguments.delta", 0, "fc_1", delta="1}"),
        done(0, type="function_call", id="fc_1", call_id="call_1", name="look", arguments='{"a":1}'),
        completed(),
    )
    assert parts == (ToolCall(id="call_1", name="look", arguments=raw('{"a":1}'), item_id="fc_1"),)


def test_a_call_begins_once_and_without_an_id_when_it_has_none() -> None:
    item: Told = {"type": "function_call", "id": "fc_1", "name": "look", "arguments": ""}
    last: Told = {**item, "arguments": "{}"}
    assert parts_of(added(0, **item), added(0, **item), done(0, **last), completed()) == (
        ToolCall(id="", name="look", arguments=raw("{}"), item_id="fc_1"),
    )


# --- items that upstreams mix up -----------------------------------------------------------------------------


def test_ids_that_change_under_way_make_no_second_item() -> None:
    parts = parts_of(
        added(0, type="message", id="msg_a", content=[]),
        piece("output_text.delta", 0, "msg_b", content_index=0, delta="Hi"),
        done(0, **message("Hi", "msg_c")),
        added(1, type="message", id="msg_d", content=[]),
        piece("output_text.delta", 1, "msg_e", content_index=0, delta="Ho"),
        completed(message("Hi", "msg_f"), message("Ho", "msg_g")),
    )
    assert text_of(*parts) == ["Hi", "Ho"]


def test_an_output_that_is_told_less_or_in_another_order_at_the_end_makes_no_second_item() -> None:
    parts = parts_of(
        done(0, type="reasoning", id="rs_1", summary=[{"type": "summary_text", "text": "Hm"}]),
        done(1, **message("Hi", "msg_1")),
        completed(message("Hi", "msg_2")),
    )
    assert [type(part) for part in parts] == [Reasoning, Text]


def test_what_is_told_at_last_goes_to_the_item_of_its_id_or_else_of_its_place() -> None:
    pieces = (
        piece("output_text.delta", 1, "msg_b", content_index=0, delta="B"),
        piece("output_text.delta", 0, "msg_a", content_index=0, delta="A"),
    )
    by_id = parts_of(*pieces, completed(message("B!", "msg_b"), message("A!", "msg_a")))
    by_place = parts_of(*pieces, completed(message("A!", "msg_c"), message("B!", "msg_d")))
    nameless = [{name: told for name, told in event.items() if name != "item_id"} for event in pieces]
    by_place_alone = parts_of(*nameless, completed(message("A!", id=None), message("B!", id=None)))
    assert text_of(*by_id) == text_of(*by_place) == text_of(*by_place_alone) == ["B!", "A!"]


def test_a_place_of_any_length_is_a_place() -> None:
    event = b'{"type":"response.output_text.delta","output_index":0,"content_index":%b,"delta":"Hi"}' % (b"1" * 5000)
    assert [type(event) for event in reader().read(Frame(None, event))] == [Began, PartBegan, Grew]


def test_items_without_a_place_are_known_by_their_ids() -> None:
    def bare(event: Told) -> Told:
        return {name: content for name, content in event.items() if name != "output_index"}

    parts = parts_of(
        bare(added(0, type="message", id="msg_1", content=[])),
        bare(added(0, type="message", id="msg_2", content=[])),
        bare(piece("output_text.delta", 0, "msg_1", delta="Hi")),
        bare(piece("output_text.delta", 0, "msg_2", delta="Ho")),
        bare(done(0, **message("Hi", "msg_1"))),
        completed(message("Hi", "msg_1"), message("Ho", "msg_2")),
    )
    assert text_of(*parts) == ["Hi", "Ho"]


def test_another_item_in_the_same_place_is_another_item() -> None:
    parts = parts_of(
        added(0, type="message", id="msg_1", content=[]),
        piece("output_text.delta", 0, "msg_1", content_index=0, delta="Hi"),
        added(0, type="function_call", id="fc_1", call_id="call_1", name="look", arguments=""),
        piece("function_call_arguments.delta", 0, "fc_1", delta="{}"),
        completed(),
    )
    assert [type(part) for part in parts] == [Text, ToolCall]


def test_pieces_behind_the_end_of_their_item_are_left_out() -> None:
    parts = parts_of(
        done(0, **message("Hi", "msg_1")),
        piece("output_text.delta", 0, "msg_1", content_index=0, delta="more"),
        piece("output_text.delta", 0, "msg_1", content_index=1, delta="more"),
        done(0, **message("Ho", "msg_1")),
        completed(),
    )
    assert text_of(*parts) == ["Hi"]


def test_reasoning_that_is_written_as_a_messages_text_is_reasoning() -> None:
    parts = parts_of(
        added(0, type="reasoning", id="rs_1", summary=[], content=None),
        piece("content_part.added", 0, "rs_1", content_index=0, part={"type": "output_text", "text": ""}),
        piece("reasoning_text.delta", 0, "rs_1", content_index=0, delta="Hm"),
        piece("content_part.done", 0, "rs_1", content_index=0, part={"type": "output_text", "text": "Hm"}),
        done(0, type="reasoning", id="rs_1", summary=[], content=[{"type": "reasoning_text", "text": "Hm"}]),
        completed(),
    )
    assert parts == (structs.replace(_LIKE, kind="text", text=raw("Hm")),)


def test_a_signature_seals_the_last_step_with_a_text() -> None:
    parts = parts_of(
        added(0, type="reasoning", id="rs_1", summary=[], format="xai-responses-v1"),
        piece("reasoning_text.delta", 0, "rs_1", content_index=0, delta="One"),
        piece("reasoning_text.delta", 0, "rs_1", content_index=1, delta="Two"),
        done(
            0,
            type="reasoning",
            id="rs_1",
            summary=[],
            content=[{"type": "reasoning_text", "text": "One"}, {"type": "reasoning_text", "text": "Two"}],
            signature="sig",
            format="xai-responses-v1",
        ),
        completed(),
    )
    like = structs.replace(_LIKE, kind="text", format="xai-responses-v1")
    assert parts == (
        structs.replace(like, text=raw("One")),
        structs.replace(like, text=raw("Two"), seal=raw("sig")),
    )


# --- calls and other items -----------------------------------------------------------------------------------

_SHELL: Told = {"type": "shell_call", "id": "sh_1", "call_id": "call_1", "action": {"commands": ["ls"]}}
_OUTPUT: Told = {"type": "shell_call_output", "id": "sho_1", "call_id": "call_1", "output": []}


def test_an_action_is_the_clients_when_nothing_answers_it() -> None:
    result = result_of(created(), added(0, **_SHELL), done(0, **_SHELL), done(1, **message("Hi")), completed())
    call = ToolCall(id="call_1", name="shell", kind="shell", arguments=raw('{"commands":["ls"]}'), item_id="sh_1")
    assert result.parts == (call, Text(text=raw("Hi")))
    assert result.finish
    assert result.finish.reason == "tool_calls"


@pytest.mark.parametrize("last", [completed(), completed(_SHELL, _OUTPUT)])
def test_an_action_that_the_provider_has_run_is_none_of_the_clients(last: Told) -> None:
    result = result_of(created(), added(0, **_SHELL), done(0, **_SHELL), added(1, **_OUTPUT), done(1, **_OUTPUT), last)
    assert (result.parts, result.finish) == ((), FINISHED)
    assert result.unsaid == ("shell_call", "shell_call_output")


def test_an_action_that_is_answered_only_in_the_whole_output_is_none_of_the_clients() -> None:
    result = result_of(created(), done(0, **_SHELL), completed(_SHELL, _OUTPUT))
    assert (result.parts, result.finish) == ((), FINISHED)


def test_what_there_is_no_word_for_is_named_once() -> None:
    search = {"type": "web_search_call", "id": "ws_1", "status": "completed"}
    file = {"type": "file_citation", "file_id": "f", "filename": "a", "index": 0}
    result = result_of(
        created(),
        done(0, **search),
        done(1, **{**search, "id": "ws_2"}),
        {"type": "response.image_generation_call.in_progress", "output_index": 2, "item_id": "ig_1"},
        done(2, type="image_generation_call", id="ig_1", status="failed", result=None),
        piece("output_text.annotation.added", 3, "msg_1", content_index=0, annotation=file),
        done(3, **message("Hi", "msg_1", content=[{"type": "output_text", "text": "Hi", "annotations": [file]}])),
        done(4, type="message", id="msg_2", content=[{"type": "hologram"}]),
        completed(search),
    )
    assert result.unsaid == ("web_search_call", "image_generation_call", "annotations.file_citation", "hologram")
    assert text_of(*result.parts) == ["Hi"]


def test_a_picture_is_a_part_of_the_answer() -> None:
    item = {"type": "image_generation_call", "id": "ig_1", "result": "AAAA", "output_format": "webp"}
    assert parts_of(added(0, **{**item, "result": None}), done(0, **item), completed(item)) == (
        Media(kind="image", data=raw("AAAA"), media_type="image/webp"),
    )


def test_sources_that_only_the_whole_part_tells_come_too() -> None:
    content = [{"type": "output_text", "text": "Hi", "annotations": [LINK, {**LINK, "url": "https://b"}]}]
    parts = parts_of(
        piece("output_text.delta", 0, "msg_1", content_index=0, delta="Hi"),
        piece("output_text.annotation.added", 0, "msg_1", content_index=0, annotation=LINK),
        done(0, **message("", "msg_1", content=content)),
        completed(),
    )
    assert isinstance(parts[0], Text)
    assert [citation.url for citation in parts[0].citations] == [raw("https://a"), raw("https://b")]


@pytest.mark.parametrize("where", ["delta", "done", "item"])
def test_log_probabilities_come_once_wherever_they_stand(where: str) -> None:
    content = [{"type": "output_text", "text": "Hi", "logprobs": SCORES if where == "item" else []}]
    result = result_of(
        created(),
        piece("output_text.delta", 0, "m", content_index=0, delta="Hi", logprobs=SCORES if where == "delta" else []),
        piece("output_text.done", 0, "m", content_index=0, text="Hi", logprobs=[] if where == "item" else SCORES),
        done(0, **message("Hi", "m", content=content)),
        completed(),
    )
    assert result.logprobs == raw(SCORES)


def test_log_probabilities_go_on_with_all_that_another_protocol_requires() -> None:
    bare = [{"token": "Hi", "logprob": -0.1}]
    result = result_of(created(), piece("output_text.delta", 0, "m", content_index=0, delta="Hi", logprobs=bare))
    assert result.logprobs is not None
    assert json.loads(bytes(result.logprobs)) == SCORES


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
