"""What a chat upstream says in a stream, part by part: words, reasoning and calls."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import Raw

from protocols.chat.chat_reader_support import LINK, STOP, call, folded, fragment, parts, text, thought, told, whole
from setpoint.canonical.events import Cited, Finished, Grew, PartBegan, PartEnded, Scored, Sealed, Unsaid
from setpoint.canonical.parts import Citation, Media, Part, Reasoning, Refusal, Text
from setpoint.canonical.result import Finish
from setpoint.protocols.chat import reader
from setpoint.wire.body import raw
from setpoint.wire.sse import Frame

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
