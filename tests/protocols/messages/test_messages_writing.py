"""A conversation of any protocol, written as the `system` and `messages` of a messages body."""

from __future__ import annotations

import base64
import json
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw, structs

from setpoint.canonical.conversation import Conversation, Turn
from setpoint.canonical.parts import Citation, Media, Part, Reasoning, Refusal, Text, ToolCall, ToolResult
from setpoint.canonical.result import Result
from setpoint.canonical.usage import Usage
from setpoint.errors import FieldError
from setpoint.protocols.answer import Bill, Opening, Stamp
from setpoint.protocols.messages.fields import check
from setpoint.protocols.messages.reading import read_conversation
from setpoint.protocols.messages.result import read_result, write_result
from setpoint.protocols.messages.writing import write_conversation
from setpoint.protocols.names import Named, ToolNames
from setpoint.protocols.seals import is_wrapped
from setpoint.protocols.terms import Terms
from setpoint.wire.body import join, raw, split

if TYPE_CHECKING:
    from setpoint.canonical.conversation import Speaker

MARK = Raw(b'{"type":"ephemeral"}')
SEALED: dict[str, Any] = {"maker": "messages", "format": "anthropic-claude-v1"}


def turn(speaker: Speaker, *parts: Part | str, name: str | None = None) -> Turn:
    said = tuple(Text(text=raw(part)) if isinstance(part, str) else part for part in parts)
    return Turn(speaker=speaker, parts=said, name=name)


def body(*turns: Turn, **terms: Any) -> dict[str, Any]:
    return json.loads(join(write_conversation(turns, Terms(**terms))))


def messages(*turns: Turn, **terms: Any) -> list[dict[str, Any]]:
    written = body(*turns, **terms)
    assert written.keys() == {"messages"}
    return written["messages"]


def content(part: Part, speaker: Speaker = "user") -> Any:
    (message,) = messages(turn(speaker, part))
    return message["content"]


def block(part: Part, speaker: Speaker = "user") -> dict[str, Any]:
    (only,) = content(part, speaker)
    return only


def refused(part: Part, speaker: Speaker = "user") -> FieldError:
    with pytest.raises(FieldError) as refusal:
        messages(turn(speaker, part))
    return refusal.value


# --- the system prompt ---------------------------------------------------------------------------------------


def test_one_plain_prompt_is_a_string() -> None:
    assert body(turn("system", "Be brief."), turn("user", "Hi")) == {
        "system": "Be brief.",
        "messages": [{"role": "user", "content": "Hi"}],
    }


def test_several_prompts_are_blocks_with_their_marks() -> None:
    marked = Text(text=raw("b"), cache=MARK)
    assert body(turn("system", "a", marked), turn("developer", "c"), turn("user", "Hi"))["system"] == [
        {"type": "text", "text": "a"},
        {"type": "text", "text": "b", "cache_control": {"type": "ephemeral"}},
        {"type": "text", "text": "c"},
    ]


def test_one_prompt_with_a_mark_is_a_block() -> None:
    assert len(body(turn("system", Text(text=raw("a"), cache=MARK)), turn("user", "Hi"))["system"]) == 1


@pytest.mark.parametrize("rest", [(), (turn("user", ""),), (turn("user", " \n"), turn("assistant", ""))])
def test_a_prompt_that_nothing_follows_is_what_the_user_says(rest: tuple[Turn, ...]) -> None:
    assert body(turn("system", "Say hello."), *rest) == {"messages": [{"role": "user", "content": "Say hello."}]}
    marked = Text(text=raw("b"), cache=MARK)
    (message,) = messages(turn("system", "a"), turn("developer", marked), *rest)
    assert [said["text"] for said in message["content"]] == ["a", "b"]
    assert "cache_control" in message["content"][1]


@pytest.mark.parametrize("said", [(), ("",), (" \n\t",)])
def test_a_prompt_that_says_nothing_is_none(said: tuple[str, ...]) -> None:
    assert "system" not in body(turn("system", *said), turn("user", "Hi"))


def test_a_later_prompt_stays_in_its_place_as_one_string() -> None:
    assert messages(turn("user", "Hi"), turn("system", "a", "b"), turn("developer", "c"), turn("user", "Yes")) == [
        {"role": "user", "content": "Hi"},
        {"role": "system", "content": "a\n\nb\n\nc"},
        {"role": "user", "content": "Yes"},
    ]


# --- who speaks ----------------------------------------------------------------------------------------------


def test_roles_alternate_and_what_is_empty_is_left_out() -> None:
    assert messages(
        turn("user", "a"),
        turn("user", "", "b"),
        turn("assistant", " "),
        turn("user", "c"),
        turn("assistant", "d"),
        turn("assistant", Refusal(text=raw("e"))),
    ) == [
        {"role": "user", "content": [{"type": "text", "text": text} for text in ("a", "b", "c")]},
        {"role": "assistant", "content": [{"type": "text", "text": "d"}, {"type": "text", "text": "e"}]},
    ]


def test_results_stand_before_everything_else_in_their_message() -> None:
    (message,) = messages(
        turn("user", "first", ToolResult(call_id="a", parts=())),
        turn("user", ToolResult(call_id="b", parts=()), "last"),
    )
    assert message["content"] == [
        {"type": "tool_result", "tool_use_id": "a"},
        {"type": "tool_result", "tool_use_id": "b"},
        {"type": "text", "text": "first"},
        {"type": "text", "text": "last"},
    ]


@pytest.mark.parametrize("speaker", ["user", "assistant"])
def test_a_name_stands_before_the_first_words(speaker: Speaker) -> None:
    image = Media(kind="image", url=raw("https://a.test"))
    parts: tuple[Part | str, ...] = (image, "Hi", "there") if speaker == "user" else ("Hi", "there")
    (message,) = messages(turn(speaker, *parts, name="Ann"))
    assert [said["text"] for said in message["content"] if said["type"] == "text"] == ["Ann: Hi", "there"]


def test_text_keeps_its_bytes() -> None:
    written = write_conversation((turn("user", Text(text=Raw(b'"\\u0048i \\ud800\\/"'))),), Terms())
    assert join(written) == b'{"messages":[{"role":"user","content":"\\u0048i \\ud800\\/"}]}'


# --- media ---------------------------------------------------------------------------------------------------


def encoded(text: str) -> Raw:
    return raw(base64.b64encode(text.encode()).decode())


MEDIA: list[tuple[Media, dict[str, Any]]] = [
    (
        Media(kind="image", data=raw("iVBO"), media_type="image/webp", detail=raw("high")),
        {"type": "image", "source": {"type": "base64", "media_type": "image/webp", "data": "iVBO"}},
    ),
    (
        Media(kind="image", data=raw("iVBO")),
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBO"}},
    ),
    (
        Media(kind="image", url=raw("https://a.test"), cache=MARK),
        {
            "type": "image",
            "source": {"type": "url", "url": "https://a.test"},
            "cache_control": {"type": "ephemeral"},
        },
    ),
    (
        Media(kind="image", file_id=raw("file_1")),
        {"type": "image", "source": {"type": "file", "file_id": "file_1"}},
    ),
    (
        Media(kind="file", data=raw("JVBE"), filename=raw("a.pdf"), context=raw("C"), citations=raw({"enabled": True})),
        {
            "type": "document",
            "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBE"},
            "title": "a.pdf",
            "context": "C",
            "citations": {"enabled": True},
        },
    ),
    (
        Media(kind="file", url=raw("https://a.test/a.pdf")),
        {"type": "document", "source": {"type": "url", "url": "https://a.test/a.pdf"}},
    ),
    (
        Media(kind="file", file_id=raw("file_1"), cache=MARK),
        {
            "type": "document",
            "source": {"type": "file", "file_id": "file_1"},
            "cache_control": {"type": "ephemeral"},
        },
    ),
    (
        Media(kind="file", text=raw("Hi"), media_type="text/plain"),
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "Hi"}},
    ),
    *(
        (
            Media(kind="file", data=encoded("é,1"), media_type=media_type, filename=raw("a")),
            {
                "type": "document",
                "source": {"type": "text", "media_type": "text/plain", "data": "é,1"},
                "title": "a",
            },
        )
        for media_type in ("text/csv", "TEXT/plain", "application/json")
    ),
]


@pytest.mark.parametrize(("medium", "written"), MEDIA)
def test_images_and_documents_are_blocks(medium: Media, written: dict[str, Any]) -> None:
    assert block(medium) == written
    result = block(ToolResult(call_id="t", parts=(medium,)))
    assert result["content"] == [written]


@pytest.mark.parametrize(
    "medium",
    [
        Media(kind="audio", data=raw("x"), media_type="wav", path="messages[0].content[1]"),
        Media(kind="video", url=raw("https://a.test"), path="messages[0].content[1]"),
        Media(kind="file", data=raw("x"), media_type="application/zip", path="messages[0].content[1]"),
        Media(kind="image", path="messages[0].content[1]"),
        Media(kind="file", path="messages[0].content[1]"),
    ],
)
def test_a_medium_without_a_word_here_is_refused_by_its_path(medium: Media) -> None:
    for part in (medium, ToolResult(call_id="t", parts=(medium,))):
        error = refused(part)
        assert (error.path, error.metadata) == ("messages[0].content[1]", {"reason": "unsupported"})


@pytest.mark.parametrize("data", ["@", "/w==", "abc", "\ud800"])
def test_a_text_file_that_is_no_text_is_refused_by_its_path(data: str) -> None:
    medium = Media(kind="file", data=raw(data), media_type="text/plain", path="input[0]")
    assert refused(medium).message == "input[0]: is not text in base64"


@pytest.mark.parametrize("speaker", ["assistant", "system"])
def test_an_image_that_the_user_did_not_send_is_refused_by_its_path(speaker: Speaker) -> None:
    assert refused(Media(kind="image", url=raw("https://a.test"), path="here"), speaker).path == "here"


# --- tools ---------------------------------------------------------------------------------------------------


def call(arguments: str, **more: Any) -> dict[str, Any]:
    return block(ToolCall(id="call_1", name="f", arguments=raw(arguments), **more), "assistant")


def test_a_call_has_its_arguments_as_an_object() -> None:
    assert call('{"a": 1.50}', cache=MARK) == {
        "type": "tool_use",
        "id": "call_1",
        "name": "f",
        "input": {"a": 1.5},
        "cache_control": {"type": "ephemeral"},
    }


@pytest.mark.parametrize("arguments", ["", " ", "{", "[1]", "null", "free text", '{"a":1} '])
def test_arguments_that_are_no_object_are_an_empty_one(arguments: str) -> None:
    assert call(arguments)["input"] == ({"a": 1} if "a" in arguments and "{" in arguments else {})


def test_a_call_is_named_as_its_tool_is_named_upstream() -> None:
    names = ToolNames(sent_names={Named("my.tool", "custom", "space"): "sent"})
    part = ToolCall(id="c", name="my.tool", namespace="space", kind="custom", arguments=raw("free text"))
    (message,) = messages(turn("assistant", part), names=names)
    assert message["content"] == [{"type": "tool_use", "id": "c", "name": "sent", "input": {"input": "free text"}}]


def test_an_id_that_the_protocol_does_not_take_is_the_same_other_one_for_call_and_result() -> None:
    called, answered = messages(
        turn("assistant", ToolCall(id="functions.f:0", name="f", arguments=raw("{}"))),
        turn("user", ToolResult(call_id="functions.f:0", parts=())),
    )
    id_ = called["content"][0]["id"]
    assert id_.startswith("functions_f_0_")
    assert id_ == answered["content"][0]["tool_use_id"]
    assert id_ != content(ToolCall(id="functions_f.0", name="f", arguments=raw("{}")), "assistant")[0]["id"]


@pytest.mark.parametrize(
    ("result", "written"),
    [
        (ToolResult(call_id="t", parts=()), {}),
        (ToolResult(call_id="t", parts=(Text(text=raw("")),)), {}),
        (ToolResult(call_id="t", parts=(Text(text=raw("ok")),)), {"content": "ok"}),
        (
            ToolResult(call_id="t", parts=(Text(text=raw("a")), Text(text=raw("b"), cache=MARK)), is_error=True),
            {
                "content": [
                    {"type": "text", "text": "a"},
                    {"type": "text", "text": "b", "cache_control": {"type": "ephemeral"}},
                ],
                "is_error": True,
            },
        ),
        (ToolResult(call_id="t", parts=(), cache=MARK), {"cache_control": {"type": "ephemeral"}}),
        (ToolResult(call_id="t", parts=(), kind="shell"), {}),
    ],
)
def test_a_result_is_a_block(result: ToolResult, written: dict[str, Any]) -> None:
    assert block(result) == {"type": "tool_result", "tool_use_id": "t", **written}


@pytest.mark.parametrize(
    ("part", "speaker"),
    [
        (ToolCall(id="t", name="f", arguments=raw("{}"), path="here"), "user"),
        (ToolResult(call_id="t", parts=(), path="here"), "assistant"),
    ],
)
def test_a_call_or_a_result_in_the_wrong_mouth_is_refused_by_its_path(part: Part, speaker: Speaker) -> None:
    assert refused(part, speaker).path == "here"


# --- reasoning and citations ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "step",
    [
        Reasoning(kind="text", text=raw("hm")),
        Reasoning(kind="text", text=raw("hm"), **SEALED),
        Reasoning(kind="text", text=raw("hm"), seal=raw(""), **SEALED),
        Reasoning(kind="text", seal=raw("s"), **SEALED),
        Reasoning(kind="summary", seal=raw("s"), **SEALED),
        Reasoning(kind="text", text=raw("hm"), seal=raw("s"), maker="chat", format="google-gemini-v1"),
        Reasoning(kind="encrypted", seal=raw("s"), maker="responses", format="openai-responses-v1", id="rs_1"),
        Reasoning(kind="summary", text=raw("hm"), maker="responses", id="rs_1"),
    ],
)
def test_reasoning_that_this_protocol_did_not_seal_is_left_out_in_silence(step: Reasoning) -> None:
    assert messages(turn("assistant", step, "Yes")) == [{"role": "assistant", "content": "Yes"}]


def test_a_thought_whose_words_are_not_shown_goes_back_with_its_signature() -> None:
    step = Reasoning(kind="text", text=raw(""), seal=raw("s"), **SEALED)
    assert block(step, "assistant") == {"type": "thinking", "thinking": "", "signature": "s"}


def test_only_citations_of_the_protocols_own_kinds_are_told() -> None:
    place = Raw(b'{"type":"char_location"}')
    text = Text(
        text=raw("Yes"), citations=(Citation(url=raw("https://a.test")), Citation(kind="char_location", body=place))
    )
    assert block(text, "assistant")["citations"] == [{"type": "char_location"}]
    assert content(structs.replace(text, citations=text.citations[:1]), "assistant") == "Yes"


USAGE = Usage(input_tokens=1, output_tokens=1)
SIGNATURES = (b'"EqQ\\/+A=="', b'"\\u0041b\\\\"', b'"c2ln"')


def told(*parts: Part) -> bytes:
    """The blocks that a messages client gets for an answer of these parts."""
    opening = Opening(stamp=Stamp("gen-1", "a/b", "Acme", 1), request={}, new_id=lambda prefix: f"{prefix}1")
    return bytes(split(write_result(Result(parts=parts), opening, Bill(USAGE, None, None), None))["content"])


def test_signatures_go_back_byte_for_byte_over_three_turns() -> None:
    history: list[bytes] = []
    for number, signature in enumerate(SIGNATURES):
        upstream = (
            b'[{"type":"thinking","thinking":"h\\u006dm","signature":%b},{"type":"redacted_thinking","data":%b},'
            b'{"type":"text","text":"so"}]' % (signature, signature)
        )
        answer = read_result({"content": Raw(upstream)})
        history.append(b'{"role":"user","content":"%d"}' % number)
        history.append(b'{"role":"assistant","content":%b}' % told(*answer.parts))
        conversation = read_conversation({"messages": Raw(b"[" + b",".join(history) + b"]")})
        sent = bytes(write_conversation(conversation, Terms())["messages"])
        for earlier in SIGNATURES[: number + 1]:
            assert b'"thinking":"h\\u006dm","signature":' + earlier in sent
            assert b'"data":' + earlier in sent


@pytest.mark.parametrize("signature", SIGNATURES)
def test_another_makers_seal_comes_back_byte_for_byte_and_goes_to_no_upstream_here(signature: bytes) -> None:
    step = Reasoning(kind="encrypted", seal=Raw(signature), maker="responses", id="rs_1")
    message = b'[{"role":"assistant","content":%b}]' % told(step)
    conversation = read_conversation({"messages": Raw(message)})
    assert plain(conversation) == (Turn(speaker="assistant", parts=(step,)),)
    assert bytes(write_conversation(conversation, Terms())["messages"]) == b"[]"


# --- there and back ------------------------------------------------------------------------------------------


def plain(conversation: Conversation) -> Conversation:
    """The conversation without the paths, which are those of the body that it was read from."""
    return tuple(
        structs.replace(turn, path="", parts=tuple(_plain_part(part) for part in turn.parts)) for turn in conversation
    )


def _plain_part(part: Part) -> Part:
    if isinstance(part, ToolResult):
        return structs.replace(part, path="", parts=tuple(structs.replace(said, path="") for said in part.parts))
    return structs.replace(part, path="")


TEXTS = st.text(min_size=1).filter(lambda text: bool(text.strip(" \n\r\t"))).map(raw)
IDS = st.from_regex(r"[A-Za-z0-9_-]{1,8}", fullmatch=True)
MARKS = st.none() | st.just(MARK)
SPOKEN = st.builds(
    Text,
    text=TEXTS,
    cache=MARKS,
    citations=st.just(()) | st.just((Citation(kind="char_location", body=Raw(b'{"type":"char_location"}')),)),
)
SEEN = st.one_of(
    st.builds(Media, kind=st.just("image"), url=TEXTS, cache=MARKS),
    st.builds(Media, kind=st.just("image"), data=TEXTS, media_type=st.just("image/png")),
    st.builds(Media, kind=st.just("image"), file_id=TEXTS),
    st.builds(Media, kind=st.just("file"), url=TEXTS, filename=st.none() | TEXTS, context=st.none() | TEXTS),
    st.builds(Media, kind=st.just("file"), data=TEXTS, media_type=st.just("application/pdf"), cache=MARKS),
    st.builds(Media, kind=st.just("file"), text=TEXTS, media_type=st.just("text/plain")),
    st.builds(Media, kind=st.just("file"), file_id=TEXTS, citations=st.none() | st.just(Raw(b'{"enabled":true}'))),
)
RESULTS = st.builds(
    ToolResult,
    call_id=IDS,
    parts=st.lists(SPOKEN | SEEN, max_size=3).map(tuple),
    kind=st.just("function"),
    is_error=st.booleans(),
    cache=MARKS,
)
CALLS = st.builds(
    ToolCall,
    id=IDS,
    name=IDS,
    arguments=st.dictionaries(st.text(), st.text() | st.floats(allow_nan=False, allow_infinity=False), max_size=2)
    .map(json.dumps)
    .map(raw),
    kind=st.just("function"),
    cache=MARKS,
)
SIGNED = TEXTS.filter(lambda seal: not is_wrapped(seal))
SEALED_STEPS = st.builds(
    Reasoning,
    kind=st.just("text"),
    text=TEXTS,
    seal=SIGNED,
    maker=st.just("messages"),
    format=st.just("anthropic-claude-v1"),
    id=st.none(),
) | st.builds(
    Reasoning,
    kind=st.just("encrypted"),
    seal=SIGNED,
    maker=st.just("messages"),
    format=st.just("anthropic-claude-v1"),
    id=st.none(),
)


@st.composite
def conversations(draw: st.DrawFn) -> Conversation:
    """A conversation as this protocol has it: roles that alternate, results before words."""
    turns: list[Turn] = []
    if draw(st.booleans()):
        turns.append(Turn(speaker="system", parts=tuple(draw(st.lists(SPOKEN, min_size=1, max_size=3)))))
    previous = ""
    speakers: tuple[Speaker, ...] = ("user", "assistant", "system")
    # A prompt that nothing follows would be written as what the user says.
    for _ in range(draw(st.integers(1 if turns else 0, 5))):
        others: list[Speaker] = [
            speaker for speaker in speakers if speaker != previous and (previous or speaker != "system")
        ]
        speaker = draw(st.sampled_from(others))
        turns.append(Turn(speaker=speaker, parts=draw(_parts(speaker))))
        previous = speaker
    return tuple(turns)


def _parts(speaker: Speaker) -> st.SearchStrategy[tuple[Part, ...]]:
    match speaker:
        case "assistant":
            return st.lists(SPOKEN | CALLS | SEALED_STEPS, min_size=1, max_size=4).map(tuple)
        case "user":
            said: st.SearchStrategy[list[Part]] = st.lists(SPOKEN | SEEN, min_size=1, max_size=3)
            return st.tuples(st.lists(RESULTS, max_size=2), said).map(lambda both: (*both[0], *both[1]))
        case _:
            return st.builds(Text, text=TEXTS, cache=st.none(), citations=st.just(())).map(lambda text: (text,))


@given(conversations())
def test_what_is_written_is_read_as_what_it_was(conversation: Conversation) -> None:
    assert plain(read_conversation(write_conversation(conversation, Terms()))) == plain(conversation)


@given(conversations())
def test_what_is_written_passes_the_protocols_own_check(conversation: Conversation) -> None:
    written = write_conversation(conversation, Terms())
    if bytes(written["messages"]) != b"[]":
        check(split(join(written)), creating=False)


ANYTHING = st.one_of(
    st.builds(Media, kind=st.sampled_from(("image", "file", "audio", "video")), data=st.none() | TEXTS),
    st.builds(Refusal, text=st.text().map(raw)),
    st.builds(Reasoning, kind=st.sampled_from(("text", "summary", "encrypted")), seal=st.none() | TEXTS),
    st.builds(ToolCall, id=st.text(), name=st.text(), arguments=st.text().map(raw)),
    *(SPOKEN, SEEN, RESULTS, CALLS),
)
TURNS = st.builds(Turn, parts=st.lists(ANYTHING, max_size=3).map(tuple), name=st.none() | st.text())


@given(st.lists(TURNS, max_size=4).map(tuple))
def test_any_conversation_is_written_with_roles_that_alternate_or_refused(conversation: Conversation) -> None:
    try:
        written = json.loads(join(write_conversation(conversation, Terms())))["messages"]
    except FieldError as error:
        assert error.metadata == {"reason": "unsupported"} or "base64" in error.message  # noqa: PT017 it may be written
        return
    roles = [message["role"] for message in written]
    assert all(role != following for role, following in pairwise(roles))
    assert all(message["content"] for message in written)
