"""A conversation of any protocol in chat's messages, and the way there and back for what chat says itself."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw, structs

from protocols.chat.chat_support import TEXTS
from setpoint.canonical.conversation import Conversation, Speaker, Turn
from setpoint.canonical.parts import Media, Part, Reasoning, Refusal, Text, ToolCall, ToolResult
from setpoint.errors import FieldError
from setpoint.protocols.chat import read_conversation, write_conversation
from setpoint.protocols.names import Named, ToolNames
from setpoint.protocols.terms import Terms
from setpoint.wire.body import raw, value

MARK = Raw(b'{"type":"ephemeral"}')
MARKED = {"type": "ephemeral"}


def written(*turns: Turn, terms: Terms | None = None) -> Any:
    return value(write_conversation(turns, terms or Terms())["messages"])


def turn(speaker: Speaker, *parts: Part, **more: Any) -> Turn:
    return Turn(speaker=speaker, parts=parts, **more)


def text(content: str, **more: Any) -> Text:
    return Text(text=raw(content), **more)


def image(**more: Any) -> Media:
    return Media(kind="image", url=raw("https://a.test/x.png"), **more)


def result(id_: str, *parts: Text | Media, **more: Any) -> ToolResult:
    return ToolResult(call_id=id_, parts=parts, **more)


def call(id_: str, **more: Any) -> ToolCall:
    return ToolCall(id=id_, name="f", arguments=raw("{}"), **more)


IMAGE = {"type": "image_url", "image_url": {"url": "https://a.test/x.png"}}


def called(id_: str) -> dict[str, Any]:
    return {"id": id_, "type": "function", "function": {"name": "f", "arguments": "{}"}}


# --- the system prompt ---------------------------------------------------------------------------------------


def test_a_system_turn_is_one_message_with_one_text_wherever_it_stands() -> None:
    assert written(
        turn("system", text("A"), text("B")), turn("developer", text("C")), turn("user", text("D")), turn("system")
    ) == [
        {"role": "system", "content": "A\n\nB"},
        {"role": "developer", "content": "C"},
        {"role": "user", "content": "D"},
        {"role": "system", "content": ""},
    ]


def test_marks_in_a_system_prompt_count_only_where_the_endpoint_takes_them() -> None:
    prompt = turn("system", text("A", cache=MARK), text("B"))
    assert written(prompt) == [{"role": "system", "content": "A\n\nB"}]
    assert written(prompt, terms=Terms(cache_marks=True))[0]["content"] == [
        {"type": "text", "text": "A", "cache_control": MARKED},
        {"type": "text", "text": "B"},
    ]


# --- the user ------------------------------------------------------------------------------------------------


def test_one_plain_text_is_a_string_and_all_else_are_parts() -> None:
    assert written(turn("user", text("A"), name="ann")) == [{"role": "user", "content": "A", "name": "ann"}]
    assert written(turn("user", text("A"), text("B")))[0]["content"] == [
        {"type": "text", "text": "A"},
        {"type": "text", "text": "B"},
    ]
    assert written(turn("user", text("A", cache=MARK)))[0]["content"] == "A"
    assert written(turn("user", text("A", cache=MARK)), terms=Terms(cache_marks=True))[0]["content"] == [
        {"type": "text", "text": "A", "cache_control": MARKED}
    ]
    assert written(turn("user")) == [{"role": "user", "content": ""}]


FILES: list[tuple[Media, dict[str, Any]]] = [
    (
        Media(kind="image", data=raw("AA=="), media_type="image/webp", detail=raw("low")),
        {"type": "image_url", "image_url": {"url": "data:image/webp;base64,AA==", "detail": "low"}},
    ),
    (
        Media(kind="file", data=raw("AA==")),
        {"type": "file", "file": {"filename": "document.pdf", "file_data": "data:application/pdf;base64,AA=="}},
    ),
    (
        Media(kind="file", data=raw("AA=="), media_type="text/csv"),
        {"type": "file", "file": {"filename": "document", "file_data": "data:text/csv;base64,AA=="}},
    ),
    (
        Media(kind="file", text=raw("Hä"), filename=raw("a.txt")),
        {"type": "file", "file": {"filename": "a.txt", "file_data": "data:text/plain;base64,SMOk"}},
    ),
    (
        Media(kind="file", url=raw("https://a.test/a.pdf"), file_id=raw("file-1")),
        {"type": "file", "file": {"file_data": "https://a.test/a.pdf", "file_id": "file-1"}},
    ),
    (
        Media(kind="audio", data=raw("AA=="), media_type="wav"),
        {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}},
    ),
    (
        Media(kind="video", data=raw("AA==")),
        {"type": "video_url", "video_url": {"url": "data:video/mp4;base64,AA=="}},
    ),
]


@pytest.mark.parametrize(("medium", "part"), FILES)
def test_every_medium_has_its_part(medium: Media, part: object) -> None:
    assert written(turn("user", medium))[0]["content"] == [part]


def test_what_is_said_of_a_document_stands_in_front_of_it() -> None:
    document = Media(kind="file", file_id=raw("file-1"), context=raw("A letter."))
    assert written(turn("user", document))[0]["content"] == [
        {"type": "text", "text": "A letter."},
        {"type": "file", "file": {"file_id": "file-1"}},
    ]


@pytest.mark.parametrize(
    ("speaker", "part"),
    [
        ("user", Media(kind="image", file_id=raw("f"), path="here")),
        ("user", Media(kind="video", file_id=raw("f"), path="here")),
        ("user", Media(kind="file", path="here")),
        ("user", Media(kind="audio", url=raw("https://a.test/a.wav"), path="here")),
        ("user", ToolCall(id="c", name="f", arguments=raw("{}"), path="here")),
        ("system", image(path="here")),
        ("assistant", ToolResult(call_id="c", parts=(), path="here")),
        ("assistant", Media(kind="file", file_id=raw("f"), path="here")),
        ("assistant", Media(kind="audio", data=raw("AA=="), path="here")),
    ],
)
def test_what_chat_cannot_say_is_refused_by_its_path(speaker: Speaker, part: Part) -> None:
    with pytest.raises(FieldError, match="cannot be said to this provider") as caught:
        written(turn(speaker, part))
    assert (caught.value.path, caught.value.metadata) == ("here", {"reason": "unsupported"})


# --- results of tools ----------------------------------------------------------------------------------------


def test_results_come_first_each_as_a_message_and_the_rest_behind_them() -> None:
    assert written(turn("user", text("And?"), result("a", text("1")), result("b", text("2"), text("3")))) == [
        {"role": "tool", "tool_call_id": "a", "content": "1"},
        {
            "role": "tool",
            "tool_call_id": "b",
            "content": [{"type": "text", "text": "2"}, {"type": "text", "text": "3"}],
        },
        {"role": "user", "content": "And?"},
    ]


def test_a_result_that_says_nothing_is_empty() -> None:
    assert written(turn("user", result("a"))) == [{"role": "tool", "tool_call_id": "a", "content": ""}]


def test_what_tools_show_follows_in_one_message_behind_the_last_of_them() -> None:
    first = turn("user", result("a", image()), result("b", text("2"), image()))
    second = turn("user", result("c", text("3")))
    assert written(first, second, turn("assistant", text("Hi"))) == [
        {"role": "tool", "tool_call_id": "a", "content": "See the image below."},
        {"role": "tool", "tool_call_id": "b", "content": "2"},
        {"role": "tool", "tool_call_id": "c", "content": "3"},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "From the result of tool call a:"},
                IMAGE,
                {"type": "text", "text": "From the result of tool call b:"},
                IMAGE,
            ],
        },
        {"role": "assistant", "content": "Hi"},
    ]


def test_what_tools_show_stands_in_front_of_what_the_user_says() -> None:
    messages = written(turn("user", result("a", image()), text("And?")))
    assert [message["role"] for message in messages] == ["tool", "user"]
    assert messages[1]["content"][1:] == [IMAGE, {"type": "text", "text": "And?"}]
    assert len(written(turn("user", result("a", image())))) == 2


def roles(*turns: Turn) -> list[str]:
    """Who says each message, a tool by the call that it answers."""
    return [message.get("tool_call_id", message["role"]) for message in written(*turns)]


def test_what_is_said_between_the_results_of_parallel_calls_waits_for_the_last_of_them() -> None:
    asked = turn("assistant", call("a"), call("b"))
    said = [turn("user", result("a", image()), text("Hm")), turn("developer", text("Be brief.")), turn("user")]
    messages = written(asked, *said, turn("user", result("b", text("2"))), turn("user", text("And?")))
    assert [message["role"] for message in messages[:3]] == ["assistant", "tool", "tool"]
    assert messages[3]["content"][1:] == [IMAGE, {"type": "text", "text": "Hm"}]
    assert messages[4:] == [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": ""},
        {"role": "user", "content": "And?"},
    ]


def test_calls_of_one_id_are_answered_one_by_one() -> None:
    said = (turn("user", result("a"), text("Hm")), turn("user", result("a")), turn("user", result("a")))
    assert roles(turn("assistant", call("a"), call("a")), *said) == ["assistant", "a", "a", "user", "a"]


def test_what_waits_for_a_result_that_never_comes_is_said_where_it_stood() -> None:
    asked = turn("assistant", call("a"), call("b"))
    said = (turn("user", text("Hm"), result("a")), turn("system", text("S")))
    assert roles(asked, *said) == ["assistant", "a", "user", "system"]
    assert roles(asked, *said, turn("assistant", text("Hi")), turn("user", text("?"))) == [
        *("assistant", "a", "user", "system"),
        *("assistant", "user"),
    ]


@pytest.mark.parametrize(
    ("parts", "content"),
    [
        ([text("no such file")], "Error: no such file"),
        ([text("Error: no such file")], "Error: no such file"),
        ([text("ERROR 7")], "ERROR 7"),
        ([], "Error"),
    ],
)
def test_a_failure_says_that_it_is_one(parts: list[Text], content: str) -> None:
    assert written(turn("user", result("a", *parts, is_error=True)))[0]["content"] == content


def test_the_mark_of_a_result_goes_to_its_last_text_where_the_endpoint_takes_marks() -> None:
    marked = turn("user", result("a", text("1"), cache=MARK))
    assert written(marked)[0]["content"] == "1"
    assert written(marked, terms=Terms(cache_marks=True))[0]["content"] == [
        {"type": "text", "text": "1", "cache_control": MARKED}
    ]


def test_an_id_with_half_a_character_goes_out_as_it_came() -> None:
    assert written(turn("user", result("\ud800", image())))[0]["tool_call_id"] == "\ud800"


# --- the assistant -------------------------------------------------------------------------------------------


def test_an_assistant_says_one_text_and_calls() -> None:
    assert written(turn("assistant", text("A"), text("B"), call("a"), text("C"))) == [
        {"role": "assistant", "content": "AB\n\nC", "tool_calls": [called("a")]}
    ]
    assert written(turn("assistant", call("a")))[0] == {
        "role": "assistant",
        "content": None,
        "tool_calls": [called("a")],
    }


def test_calls_that_come_turn_by_turn_are_one_message() -> None:
    turns = [
        turn("assistant", Reasoning(kind="text", text=raw("Hm"), maker="chat")),
        turn("assistant", text("A")),
        turn("assistant", call("a")),
        turn("assistant", text("B")),
        turn("assistant", call("b")),
        turn("user", result("a"), result("b")),
    ]
    messages = written(*turns)
    assert [message["role"] for message in messages] == ["assistant", "tool", "tool"]
    assert messages[0]["content"] == "A\n\nB"
    assert messages[0]["reasoning"] == "Hm"
    assert messages[0]["tool_calls"] == [called("a"), called("b")]


def test_words_of_several_turns_stay_several_messages_with_the_thoughts_in_front_of_them() -> None:
    thought = Reasoning(kind="text", text=raw("Hm"), maker="chat")
    messages = written(turn("assistant", text("A")), turn("assistant", thought), turn("assistant", text("B")))
    assert [message["content"] for message in messages] == ["A", "B"]
    assert "reasoning" not in messages[0]
    assert messages[1]["reasoning"] == "Hm"


def test_refusals_and_what_was_made_have_members_of_their_own() -> None:
    made = [image(), Media(kind="audio", file_id=raw("audio_1"), data=raw("AA=="))]
    assert written(turn("assistant", Refusal(text=raw("No.")), *made)) == [
        {"role": "assistant", "content": "", "refusal": "No.", "images": [IMAGE], "audio": {"id": "audio_1"}}
    ]


def test_an_assistants_marks_count_where_the_endpoint_takes_them() -> None:
    marked = turn("assistant", text("A", cache=MARK))
    assert written(marked)[0]["content"] == "A"
    assert written(marked, terms=Terms(cache_marks=True))[0]["content"] == [
        {"type": "text", "text": "A", "cache_control": MARKED}
    ]


def test_calls_go_by_the_names_that_their_tools_have_upstream() -> None:
    names = ToolNames(sent_names={Named("patch", "custom"): "patch_1"})
    custom = ToolCall(id="c", name="patch", arguments=raw('a"b'), kind="custom")
    [message] = written(turn("assistant", custom), terms=Terms(names=names))
    assert message["tool_calls"] == [
        {"id": "c", "type": "function", "function": {"name": "patch_1", "arguments": '{"input":"a\\"b"}'}}
    ]


# --- reasoning -----------------------------------------------------------------------------------------------

PLAIN = Reasoning(kind="text", text=raw("Hm"), maker="chat")
SIGNED = Reasoning(kind="text", text=raw("So"), seal=raw("sig"), maker="chat", format="x", id="r")
SEALED = Reasoning(kind="encrypted", seal=raw("xx"), maker="chat")


def reasoned(terms: Terms, *steps: Reasoning) -> dict[str, Any]:
    [message] = written(turn("assistant", *steps, text("A")), terms=terms)
    return {name: said for name, said in message.items() if name not in ("role", "content")}


def test_what_chat_made_goes_back_as_it_was() -> None:
    assert reasoned(Terms(), PLAIN, SIGNED, SEALED) == {
        "reasoning": "Hm\n\nSo",
        "reasoning_details": [
            {"type": "reasoning.text", "text": "Hm", "index": 0},
            {"type": "reasoning.text", "text": "So", "signature": "sig", "format": "x", "id": "r", "index": 1},
            {"type": "reasoning.encrypted", "data": "xx", "index": 2},
        ],
    }


def test_an_endpoint_that_takes_text_back_gets_text_and_one_that_takes_nothing_nothing() -> None:
    assert reasoned(Terms(reasoning_back="content"), PLAIN, SIGNED, SEALED) == {"reasoning_content": "Hm\n\nSo"}
    assert reasoned(Terms(reasoning_back="content"), SEALED) == {}
    assert reasoned(Terms(reasoning_back="none"), PLAIN, SIGNED, SEALED) == {}


@pytest.mark.parametrize("back", ["details", "content"])
@pytest.mark.parametrize(
    ("step", "goes"),
    [
        (Reasoning(kind="text", text=raw("Hm")), True),
        (Reasoning(kind="text", text=raw("Hm"), seal=raw("s")), False),
        (Reasoning(kind="text", text=raw("Hm"), maker="messages"), False),
        (Reasoning(kind="text", text=raw("Hm"), seal=raw("s"), maker="messages"), False),
        (Reasoning(kind="summary", text=raw("Hm"), maker="responses"), False),
    ],
)
def test_reasoning_of_another_maker_is_left_out_in_silence(back: Any, step: Reasoning, goes: bool) -> None:
    assert bool(reasoned(Terms(reasoning_back=back), step)) == goes


def test_a_turn_of_which_nothing_is_left_is_left_out() -> None:
    alien = Reasoning(kind="encrypted", seal=raw("x"), maker="responses")
    assert written(turn("assistant", alien), turn("user", text("Hi"))) == [{"role": "user", "content": "Hi"}]


# --- there and back ------------------------------------------------------------------------------------------

_STRINGS = TEXTS.map(raw)
_FULL = TEXTS.filter(bool).map(raw)
_MARKS = st.none() | st.just(MARK)
_TEXT = st.builds(Text, text=_STRINGS, cache=_MARKS)
_BASE64 = st.sampled_from(["", "AA==", "SGk="]).map(raw)
_MEDIA = st.one_of(
    st.builds(
        Media, kind=st.just("image"), url=st.just(raw("https://a.test")), detail=st.none() | _STRINGS, cache=_MARKS
    ),
    st.builds(Media, kind=st.just("image"), data=_BASE64, media_type=st.just("image/gif"), cache=_MARKS),
    st.builds(Media, kind=st.just("file"), data=_BASE64, media_type=st.just("text/csv"), filename=_STRINGS),
    st.builds(Media, kind=st.just("file"), file_id=_STRINGS, filename=st.none() | _STRINGS),
    st.builds(Media, kind=st.just("audio"), data=_BASE64, media_type=st.none() | TEXTS),
    st.builds(Media, kind=st.just("video"), data=_BASE64, media_type=st.just("video/mp4")),
)
_RESULT = st.builds(ToolResult, call_id=TEXTS, parts=st.lists(_TEXT, min_size=1, max_size=2).map(tuple))
_STEP = st.one_of(
    st.builds(
        Reasoning,
        kind=st.just("text"),
        text=_FULL,
        seal=st.none() | _FULL,
        maker=st.just("chat"),
        format=st.none() | TEXTS,
    ),
    st.builds(Reasoning, kind=st.just("summary"), text=_FULL, maker=st.just("chat"), id=st.none() | TEXTS.filter(bool)),
    st.builds(Reasoning, kind=st.just("encrypted"), seal=_FULL, maker=st.just("chat")),
)
_CALL = st.builds(ToolCall, id=TEXTS, name=st.sampled_from(["f", "look_up"]), arguments=_STRINGS)


def _several(parts: st.SearchStrategy[Any], least: int = 0) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(parts, min_size=least, max_size=2).map(tuple)


_NAMES = st.none() | TEXTS
_ASKED = st.one_of(
    st.builds(Turn, speaker=st.just("user"), parts=_several(_RESULT, least=1)),
    st.builds(Turn, speaker=st.just("user"), parts=_several(_TEXT | _MEDIA, least=1), name=_NAMES),
    st.builds(
        Turn,
        speaker=st.sampled_from(["system", "developer"]),
        parts=_STRINGS.map(lambda said: (Text(text=said),))
        | _several(st.builds(Text, text=_STRINGS, cache=st.just(MARK)), least=1),
        name=_NAMES,
    ),
)
_ANSWERED = st.builds(
    Turn,
    speaker=st.just("assistant"),
    parts=st.tuples(
        _several(_STEP),
        _STRINGS.map(lambda said: (Text(text=said),)),
        st.just(()) | _STRINGS.map(lambda said: (Refusal(text=said),)),
        st.just(()) | st.just((image(),)),
        st.just(()) | _FULL.map(lambda id_: (Media(kind="audio", file_id=id_),)),
        _several(_CALL),
    ).map(lambda groups: tuple(part for group in groups for part in group)),
    name=_NAMES,
)
_CONVERSATIONS = st.lists(st.tuples(_ASKED, _ANSWERED), max_size=2).map(
    lambda pairs: tuple(one for pair in pairs for one in pair)
)


def without_paths(conversation: Conversation) -> list[Turn]:
    def bare(part: Part) -> Part:
        if isinstance(part, ToolResult):
            part = structs.replace(part, parts=tuple(structs.replace(inner, path="") for inner in part.parts))
        return structs.replace(part, path="")

    return [structs.replace(one, parts=tuple(map(bare, one.parts)), path="") for one in conversation]


@given(_CONVERSATIONS)
def test_what_chat_can_say_is_read_back_as_it_was_meant(conversation: Conversation) -> None:
    body = write_conversation(conversation, Terms(cache_marks=True))
    assert without_paths(read_conversation(body)) == list(conversation)
