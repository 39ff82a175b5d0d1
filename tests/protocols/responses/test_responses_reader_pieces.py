"""What a responses upstream tells in pieces, whole, or both, read once."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from protocols.responses.responses_reader_support import LIKE, checked, parts_of, result_of, text_of
from protocols.responses.responses_support import (
    BILL,
    EVERYTHING,
    added,
    completed,
    created,
    done,
    folded,
    message,
    opening,
    piece,
    read,
    sse,
    told,
)
from setpoint.canonical.events import Cited, Grew, Scored, Sealed
from setpoint.canonical.fold import unfold
from setpoint.canonical.parts import Citation, Media, Reasoning, Refusal, Text, ToolCall
from setpoint.canonical.result import Finish, Result
from setpoint.protocols.responses.reader import reader
from setpoint.protocols.responses.writer import writer
from setpoint.wire.body import raw

if TYPE_CHECKING:
    from collections.abc import Iterable

    from protocols.responses.responses_support import Told
    from setpoint.canonical.parts import Part

_SAID = Result(
    parts=(
        structs.replace(LIKE, text=raw("One")),
        structs.replace(LIKE, text=raw("Two")),
        structs.replace(LIKE, kind="text", text=raw("Three")),
        structs.replace(LIKE, kind="encrypted", seal=raw("gAAA")),
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
