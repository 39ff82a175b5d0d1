"""Items of a responses upstream, mixed up or of kinds of their own, read into parts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from msgspec import structs

from protocols.responses.responses_reader_support import FINISHED, LIKE, parts_of, result_of, text_of
from protocols.responses.responses_support import LINK, SCORES, added, completed, created, done, message, piece
from setpoint.canonical.events import Began, Grew, PartBegan
from setpoint.canonical.parts import Media, Reasoning, Text, ToolCall
from setpoint.protocols.responses.reader import reader
from setpoint.wire.body import raw
from setpoint.wire.sse import Frame

if TYPE_CHECKING:
    from protocols.responses.responses_support import Told

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
    assert parts == (structs.replace(LIKE, kind="text", text=raw("Hm")),)


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
    like = structs.replace(LIKE, kind="text", format="xai-responses-v1")
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


def test_an_action_that_is_told_with_its_output_only_at_the_end_is_none_of_the_clients() -> None:
    result = result_of(created(), completed(_SHELL, _OUTPUT, message("Hi")))
    assert result.finish == FINISHED
    assert text_of(*result.parts) == ["Hi"]
    assert sorted(result.unsaid) == ["shell_call", "shell_call_output"]


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
