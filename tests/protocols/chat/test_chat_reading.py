"""The conversation of a chat body: messages become turns, and what no other protocol can say is named."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw, structs

from protocols.chat.chat_support import mutated, odd
from setpoint.canonical.conversation import Conversation, Turn
from setpoint.canonical.parts import Media, Reasoning, Refusal, Text, ToolCall, ToolResult
from setpoint.errors import FieldError
from setpoint.protocols.chat import read_conversation, write_conversation
from setpoint.protocols.terms import Terms
from setpoint.wire.body import MalformedError, raw, split


def read(*messages: Any, **beside: Any) -> Conversation:
    return read_conversation(split(json.dumps({"messages": messages, **beside}).encode()))


def part(content: object) -> Any:
    [turn] = read({"role": "user", "content": [content]})
    [only] = turn.parts
    return only


# --- who says what -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["system", "developer", "user", "assistant"])
def test_a_message_is_a_turn_of_its_speaker(role: Any) -> None:
    assert read({"role": role, "content": "Hi", "name": "ann"}) == (
        Turn(
            speaker=role,
            parts=(Text(text=raw("Hi"), path="messages[0].content"),),
            name="ann",
            path="messages[0]",
        ),
    )


def test_texts_keep_their_escapes() -> None:
    [turn] = read_conversation(split(b'{"messages":[{"role":"user","content":"\\u0048i \\ud800"}]}'))
    assert turn.parts == (Text(text=Raw(b'"\\u0048i \\ud800"'), path="messages[0].content"),)


@pytest.mark.parametrize("content", [None, []])
def test_a_message_without_content_is_a_turn_without_parts(content: object) -> None:
    assert read({"role": "user", "content": content})[0].parts == ()
    assert read({"role": "user"})[0].parts == ()


def test_a_prompt_that_stands_alone_is_one_message_of_the_user() -> None:
    assert read(prompt="Hi") == (Turn(speaker="user", parts=(Text(text=raw("Hi"), path="prompt"),), path="prompt"),)
    [turn] = read({"role": "user", "content": "Ho"}, prompt="Hi")
    assert turn.path == "messages[0]"


# --- parts ---------------------------------------------------------------------------------------------------

AT = "messages[0].content[0]"
MARK = {"type": "ephemeral"}
MARKED = Raw(json.dumps(MARK).encode())


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"type": "text", "text": "Hi"}, Text(text=raw("Hi"), path=AT)),
        ({"type": "text", "text": "Hi", "cache_control": MARK}, Text(text=raw("Hi"), cache=MARKED, path=AT)),
        ({"type": "text", "text": "Hi", "cache_control": None}, Text(text=raw("Hi"), path=AT)),
        (
            {"type": "image_url", "image_url": {"url": "https://a.test/x.png", "detail": "low"}},
            Media(kind="image", url=raw("https://a.test/x.png"), detail=raw("low"), path=AT),
        ),
        (
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}, "cache_control": MARK},
            Media(kind="image", data=raw("AA=="), media_type="image/png", cache=MARKED, path=AT),
        ),
        (
            {"type": "file", "file": {"file_data": "data:application/pdf;base64,AA==", "filename": "a.pdf"}},
            Media(kind="file", data=raw("AA=="), media_type="application/pdf", filename=raw("a.pdf"), path=AT),
        ),
        ({"type": "file", "file": {"file_data": "https://a.test/a.pdf"}},
         Media(kind="file", url=raw("https://a.test/a.pdf"), path=AT)),
        ({"type": "file", "file": {"file_id": "file-1", "file_data": None}},
         Media(kind="file", file_id=raw("file-1"), path=AT)),
        (
            {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}},
            Media(kind="audio", data=raw("AA=="), media_type="wav", path=AT),
        ),
        (
            {"type": "video_url", "video_url": {"url": "https://a.test/x.mp4"}},
            Media(kind="video", url=raw("https://a.test/x.mp4"), path=AT),
        ),
        (
            {"type": "input_video", "video_url": {"url": "data:video/mp4;base64,AA=="}},
            Media(kind="video", data=raw("AA=="), media_type="video/mp4", path=AT),
        ),
    ],
)  # fmt: skip
def test_every_kind_of_part_is_read(content: object, expected: object) -> None:
    assert part(content) == expected


@pytest.mark.parametrize(
    ("content", "path"),
    [
        ("Hi", ""),
        ({}, ".type"),
        ({"type": 1}, ".type"),
        ({"type": "text"}, ".text"),
        ({"type": "text", "text": 1}, ".text"),
        ({"type": "image_url"}, ".image_url"),
        ({"type": "image_url", "image_url": "https://a.test/x.png"}, ".image_url"),
        ({"type": "image_url", "image_url": {}}, ".image_url.url"),
        ({"type": "image_url", "image_url": {"url": None}}, ".image_url.url"),
        ({"type": "file", "file": {}}, ".file"),
        ({"type": "input_audio", "input_audio": {"format": "wav"}}, ".input_audio.data"),
        ({"type": "video_url", "video_url": {}}, ".video_url.url"),
    ],
)
def test_a_part_of_the_wrong_shape_is_named_with_its_member(content: object, path: str) -> None:
    with pytest.raises(FieldError) as caught:
        part(content)
    assert caught.value.path == AT + path
    assert caught.value.metadata == {}


@pytest.mark.parametrize("kind", ["hologram", "tool_use", "input_text"])
def test_a_part_that_no_other_protocol_has_a_word_for_is_named(kind: str) -> None:
    with pytest.raises(FieldError, match=f"{kind} has no word in another protocol") as caught:
        part({"type": kind, "text": "x"})
    assert (caught.value.path, caught.value.metadata) == (AT, {"reason": "unsupported"})


_MISSHAPEN: list[tuple[Any, str]] = [
    ("Hi", ""),
    ({"content": "Hi"}, ".role"),
    ({"role": "function", "content": "Hi"}, ".role"),
    ({"role": "user", "content": {"type": "text"}}, ".content"),
    ({"role": "user", "content": 7}, ".content"),
    ({"role": "tool", "content": "Hi"}, ".tool_call_id"),
    ({"role": "assistant", "tool_calls": [1]}, ".tool_calls[0]"),
    ({"role": "assistant", "tool_calls": [{"function": {"name": "f"}}]}, ".tool_calls[0].id"),
    ({"role": "assistant", "tool_calls": [{"id": "c"}]}, ".tool_calls[0].function"),
    ({"role": "assistant", "tool_calls": [{"id": "c", "function": {}}]}, ".tool_calls[0].function.name"),
    ({"role": "assistant", "images": [{"image_url": {}}]}, ".images[0].image_url.url"),
]


@pytest.mark.parametrize(("message", "path"), _MISSHAPEN)
def test_a_message_of_the_wrong_shape_is_named_with_its_member(message: object, path: str) -> None:
    with pytest.raises(FieldError) as caught:
        read(message)
    assert caught.value.path == "messages[0]" + path


@pytest.mark.parametrize(
    ("message", "path"),
    [
        ({"role": "assistant", "function_call": {"name": "f"}}, ".function_call"),
        ({"role": "assistant", "tool_calls": [{"id": "c", "type": "mcp"}]}, ".tool_calls[0]"),
        ({"role": "assistant", "reasoning_details": [{"type": "reasoning.server_tool_call"}]}, ".reasoning_details[0]"),
        ({"role": "system", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}, ".content[0]"),
    ],
)
def test_what_only_chat_says_is_named(message: object, path: str) -> None:
    with pytest.raises(FieldError) as caught:
        read(message)
    assert (caught.value.path, caught.value.metadata) == ("messages[0]" + path, {"reason": "unsupported"})


# --- the assistant -------------------------------------------------------------------------------------------


def said(**message: Any) -> list[Any]:
    [turn] = read({"role": "assistant", **message})
    return list(turn.parts)


def test_an_assistant_thinks_first_and_calls_last() -> None:
    parts = said(
        tool_calls=[{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
        images=[{"type": "image_url", "image_url": {"url": "https://a.test/x.png"}}],
        audio={"id": "a", "transcript": "Hi"},
        refusal="No.",
        content=[{"type": "text", "text": "Hi"}, {"type": "refusal", "refusal": "No"}],
        reasoning="Hm",
    )
    assert [type(one) for one in parts] == [Reasoning, Text, Refusal, Refusal, Media, Media, ToolCall]
    assert parts[5] == Media(kind="audio", file_id=raw("a"), text=raw("Hi"), path="messages[0].audio")
    assert parts[6] == ToolCall(id="c", name="f", arguments=raw("{}"), path="messages[0].tool_calls[0]")


@pytest.mark.parametrize(
    ("arguments", "text"), [("{}", "{}"), (None, ""), ({"a": 1.5}, '{"a": 1.5}'), ("no JSON", "no JSON")]
)
def test_arguments_are_a_text_however_they_are_written(arguments: object, text: str) -> None:
    [call] = said(tool_calls=[{"id": "c", "function": {"name": "f", "arguments": arguments}}])
    assert call.arguments == raw(text)


def test_a_custom_call_keeps_its_kind_and_so_does_its_result() -> None:
    call = {"id": "c", "type": "custom", "custom": {"name": "patch", "input": "*** Begin"}}
    assistant, user = read(
        {"role": "assistant", "tool_calls": [call]}, {"role": "tool", "tool_call_id": "c", "content": "done"}
    )
    assert assistant.parts == (
        ToolCall(id="c", name="patch", arguments=raw("*** Begin"), kind="custom", path="messages[0].tool_calls[0]"),
    )
    [result] = user.parts
    assert isinstance(result, ToolResult)
    assert result.kind == "custom"


def test_results_that_follow_each_other_are_one_turn_of_the_user() -> None:
    results = [{"role": "tool", "tool_call_id": id_, "content": id_} for id_ in "ab"]
    after = {"role": "user", "content": "Hi"}
    first, second, third = read(*results, after, results[0])
    assert [one.call_id for one in first.parts if isinstance(one, ToolResult)] == ["a", "b"]
    assert second.parts == (Text(text=raw("Hi"), path="messages[2].content"),)
    assert third.parts == (
        ToolResult(call_id="a", parts=(Text(text=raw("a"), path="messages[3].content"),), path="messages[3]"),
    )


def test_a_result_may_show_an_image() -> None:
    content = [{"type": "text", "text": "x"}, {"type": "image_url", "image_url": {"url": "https://a.test/x.png"}}]
    [turn] = read({"role": "tool", "tool_call_id": "c", "content": content, "cache_control": MARK})
    [result] = turn.parts
    assert isinstance(result, ToolResult)
    assert [type(one) for one in result.parts] == [Text, Media]
    assert result.cache == MARKED


# --- reasoning -----------------------------------------------------------------------------------------------

DETAILS = "messages[0].reasoning_details"


@pytest.mark.parametrize("name", ["reasoning", "reasoning_content"])
def test_plain_reasoning_was_made_by_chat(name: str) -> None:
    assert said(**{name: "Hm"}) == [Reasoning(kind="text", text=raw("Hm"), maker="chat", path="messages[0].reasoning")]


@pytest.mark.parametrize("name", ["reasoning", "reasoning_content"])
@pytest.mark.parametrize("nothing", ["", None, {}])
def test_no_reasoning_is_none(name: str, nothing: object) -> None:
    assert said(**{name: nothing}) == []


@pytest.mark.parametrize(
    ("detail", "step"),
    [
        ({"type": "reasoning.text", "text": "Hm"}, Reasoning(kind="text", text=raw("Hm"), maker="chat")),
        (
            {"type": "reasoning.text", "text": "Hm", "signature": "sig", "format": "anthropic-claude-v1", "index": 0},
            Reasoning(kind="text", text=raw("Hm"), seal=raw("sig"), maker="messages", format="anthropic-claude-v1"),
        ),
        (
            {"type": "reasoning.summary", "summary": "Hm", "id": "rs_1", "format": "openai-responses-v1"},
            Reasoning(kind="summary", text=raw("Hm"), maker="responses", format="openai-responses-v1", id="rs_1"),
        ),
        (
            {"type": "reasoning.encrypted", "data": "xx", "id": None, "format": "google-gemini-v1"},
            Reasoning(kind="encrypted", seal=raw("xx"), maker="chat", format="google-gemini-v1"),
        ),
    ],
)
def test_a_detail_belongs_to_the_maker_that_its_format_names(detail: object, step: Reasoning) -> None:
    [read_step] = said(reasoning_details=[detail], reasoning="the same once more")
    assert read_step.path == f"{DETAILS}[0]"
    assert structs.replace(read_step, path="") == step


@pytest.mark.parametrize("family", ["openai", "azure-openai", "bedrock-openai", "xai"])
def test_a_detail_of_the_responses_protocol_goes_back_there_whoever_ran_the_model(family: str) -> None:
    [step] = said(reasoning_details=[{"type": "reasoning.encrypted", "data": "xx", "format": f"{family}-responses-v1"}])
    assert (step.maker, step.format) == ("responses", f"{family}-responses-v1")


def test_details_that_say_nothing_are_no_steps() -> None:
    empty = [
        {"type": "reasoning.text", "text": None, "signature": ""},
        {"type": "reasoning.summary"},
        {"type": "reasoning.encrypted", "data": ""},
    ]
    assert said(reasoning_details=empty) == []


def test_pieces_of_a_stream_that_a_client_has_collected_are_one_step() -> None:
    pieces = [
        {"type": "reasoning.text", "text": "Let ", "index": 0},
        {"type": "reasoning.text", "text": "me", "index": 0},
        {"type": "reasoning.text", "signature": "sig", "index": 0},
        {"type": "reasoning.text", "text": "Next", "index": 1},
        {"type": "reasoning.text", "text": "Other"},
        {"type": "reasoning.text", "text": "Another"},
    ]
    steps = said(reasoning_details=pieces)
    assert [(step.text, step.seal) for step in steps] == [
        (raw("Let me"), raw("sig")),
        (raw("Next"), None),
        (raw("Other"), None),
        (raw("Another"), None),
    ]


# --- hostile conversations -----------------------------------------------------------------------------------

CONVERSATION: list[dict[str, Any]] = [
    {"role": "system", "content": [{"type": "text", "text": "Be brief.", "cache_control": MARK}]},
    {
        "role": "user",
        "name": "ann",
        "content": [
            {"type": "text", "text": "Hi"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA==", "detail": "low"}},
            {"type": "file", "file": {"file_data": "https://a.test/a.pdf", "filename": "a"}},
            {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}},
            {"type": "video_url", "video_url": {"url": "https://a.test/a.mp4"}},
        ],
    },
    {
        "role": "assistant",
        "content": None,
        "reasoning": "Hm",
        "reasoning_details": [{"type": "reasoning.text", "text": "Hm", "signature": "s", "index": 0, "format": "x"}],
        "tool_calls": [
            {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}},
            {"id": "b", "type": "custom", "custom": {"name": "f", "input": "x"}},
        ],
        "images": [{"type": "image_url", "image_url": {"url": "x"}}],
        "audio": {"id": "a", "data": "AA==", "transcript": "Hi"},
        "refusal": "No",
    },
    {"role": "tool", "tool_call_id": "a", "content": [{"type": "text", "text": "x"}]},
]
_NAMES = (
    *("role", "content", "type", "text", "image_url", "url", "file", "file_data", "file_id", "input_audio", "data"),
    *("tool_calls", "id", "function", "custom", "name", "arguments", "input", "tool_call_id", "reasoning_details"),
    *("reasoning.text", "signature", "index", "user", "assistant", "tool", "system", "cache_control", "images"),
)


def refused_at(data: bytes) -> str | None:
    """Where the conversation in a body is refused, when it is read or written again; None when it is no JSON at all."""
    try:
        turns = read_conversation(split(data))
        write_conversation(turns, Terms(cache_marks=True))
    except MalformedError:
        return None
    except FieldError as error:
        return error.path
    assert all(turn.path for turn in turns)
    return None


@given(mutated(CONVERSATION, odd(*_NAMES)) | odd("messages", *_NAMES))
def test_a_conversation_is_read_or_refused_by_name_whatever_it_looks_like(messages: object) -> None:
    assert refused_at(json.dumps({"messages": messages}).encode()) != ""


@given(st.binary(max_size=20))
def test_bytes_in_a_conversation_are_content_or_no_json_at_all(content: bytes) -> None:
    at = refused_at(b'{"messages":[{"role":"user","content":' + content + b"}]}")
    assert at is None or at.startswith("messages[0]")
