"""The conversation of a messages body, read into turns and parts."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw, structs

from setpoint.canonical.conversation import Conversation, Turn
from setpoint.canonical.parts import Citation, Media, Part, Reasoning, Text, ToolCall, ToolResult
from setpoint.errors import FieldError
from setpoint.protocols.messages.reading import read_conversation
from setpoint.protocols.seals import write_seal
from setpoint.wire.body import raw, split, value

EPHEMERAL = {"type": "ephemeral"}
MARK = Raw(json.dumps(EPHEMERAL).encode())


def read(content: object) -> Conversation:
    return read_conversation(split(json.dumps(content).encode()))


def parts(*blocks: object, role: str = "user") -> tuple[Part, ...]:
    (turn,) = read({"messages": [{"role": role, "content": blocks}]})
    return turn.parts


def part(block: object, role: str = "user") -> Part:
    (only,) = parts(block, role=role)
    return only


def refusal(content: object) -> FieldError:
    with pytest.raises(FieldError) as refused:
        read(content)
    return refused.value


def refused(*blocks: object, role: str = "user") -> FieldError:
    return refusal({"messages": [{"role": role, "content": blocks}]})


# --- who speaks ----------------------------------------------------------------------------------------------


def test_the_system_prompt_is_the_first_turn_and_strings_keep_their_bytes() -> None:
    data = (
        b'{"system":"You \\u0074riage.","messages":[{"role":"user","content":"Hi \\ud800"},'
        b'{"role":"assistant","content":"Yes"},{"role":"system","content":"Be brief."}]}'
    )
    assert read_conversation(split(data)) == (
        Turn(speaker="system", parts=(Text(text=Raw(b'"You \\u0074riage."'), path="system"),), path="system"),
        Turn(
            speaker="user",
            parts=(Text(text=Raw(b'"Hi \\ud800"'), path="messages[0].content"),),
            path="messages[0]",
        ),
        Turn(speaker="assistant", parts=(Text(text=raw("Yes"), path="messages[1].content"),), path="messages[1]"),
        Turn(speaker="system", parts=(Text(text=raw("Be brief."), path="messages[2].content"),), path="messages[2]"),
    )


def test_the_blocks_of_the_system_prompt_are_parts_of_one_turn() -> None:
    (turn,) = read(
        {"system": [{"type": "text", "text": "a"}, {"type": "text", "text": "b", "cache_control": EPHEMERAL}]}
    )
    assert turn.parts == (Text(text=raw("a"), path="system[0]"), Text(text=raw("b"), cache=MARK, path="system[1]"))


@pytest.mark.parametrize("system", [None, "", []])
def test_a_system_prompt_that_says_nothing_is_no_turn(system: object) -> None:
    assert read({"system": system, "messages": []}) == ()


@pytest.mark.parametrize("content", ["", []])
def test_a_message_may_say_nothing(content: object) -> None:
    (turn,) = read({"messages": [{"role": "user", "content": content}]})
    assert turn == Turn(speaker="user", parts=(), path="messages[0]")


# --- words and media -----------------------------------------------------------------------------------------


def test_text_has_its_cache_mark_and_its_citations() -> None:
    link = {"type": "web_search_result_location", "url": "https://a.test", "title": "A", "cited_text": "so"}
    place = {"type": "char_location", "start_char_index": 1}
    block = {"type": "text", "text": "Hi", "cache_control": EPHEMERAL, "citations": [link, place]}
    assert part(block) == Text(
        text=raw("Hi"),
        cache=MARK,
        citations=(
            Citation(url=raw("https://a.test"), title=raw("A"), quoted=raw("so")),
            Citation(kind="char_location", body=Raw(json.dumps(place).encode())),
        ),
        path="messages[0].content[0]",
    )


PDF = {"type": "base64", "media_type": "application/pdf", "data": "JVBE"}
MEDIA: list[tuple[dict[str, Any], Media]] = [
    (
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBO"}},
        Media(kind="image", data=raw("iVBO"), media_type="image/png"),
    ),
    (
        {"type": "image", "source": {"type": "url", "url": "https://a.test/a.png"}, "cache_control": EPHEMERAL},
        Media(kind="image", url=raw("https://a.test/a.png"), cache=MARK),
    ),
    (
        {"type": "image", "source": {"type": "file", "file_id": "file_1"}},
        Media(kind="image", file_id=raw("file_1")),
    ),
    (
        {"type": "document", "source": PDF, "title": "a.pdf", "context": "of May", "citations": {"enabled": True}},
        Media(
            kind="file",
            data=raw("JVBE"),
            media_type="application/pdf",
            filename=raw("a.pdf"),
            context=raw("of May"),
            citations=Raw(b'{"enabled": true}'),
        ),
    ),
    (
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "Hi"}, "title": None},
        Media(kind="file", text=raw("Hi"), media_type="text/plain"),
    ),
    (
        {"type": "document", "source": {"type": "url", "url": "https://a.test"}, "cache_control": EPHEMERAL},
        Media(kind="file", url=raw("https://a.test"), cache=MARK),
    ),
    (
        {"type": "document", "source": {"type": "file", "file_id": "file_1"}, "citations": None},
        Media(kind="file", file_id=raw("file_1")),
    ),
]


@pytest.mark.parametrize(("block", "medium"), MEDIA)
@pytest.mark.parametrize("role", ["user", "assistant"])
def test_images_and_documents_are_media(block: object, medium: Media, role: str) -> None:
    assert part(block, role) == structs.replace(medium, path="messages[0].content[0]")


def test_a_document_of_blocks_is_what_it_holds_with_its_title_in_front() -> None:
    source = {"type": "content", "content": [{"type": "text", "text": "a"}, MEDIA[1][0] | {"cache_control": None}]}
    inside = "messages[0].content[0].source.content"
    block = {"type": "document", "source": source, "title": "T", "context": "C", "cache_control": EPHEMERAL}
    assert parts(block) == (
        Text(text=raw("T\nC"), path="messages[0].content[0]"),
        Text(text=raw("a"), path=f"{inside}[0]"),
        Media(kind="image", url=raw("https://a.test/a.png"), cache=MARK, path=f"{inside}[1]"),
    )


def test_a_document_of_one_string_is_a_text() -> None:
    block = {"type": "document", "source": {"type": "content", "content": "a"}}
    assert part(block) == Text(text=raw("a"), path="messages[0].content[0].source.content")


def test_a_search_result_is_a_text_under_its_title_and_source() -> None:
    block = {
        "type": "search_result",
        "title": "T",
        "source": "https://a.test",
        "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
        "citations": {"enabled": True},
    }
    said = Text(text=raw("T\nhttps://a.test\n\na\n\nb"), path="messages[0].content[0]")
    assert part(block) == said
    result = part({"type": "tool_result", "tool_use_id": "t", "content": [block]})
    assert isinstance(result, ToolResult)
    assert result.parts == (structs.replace(said, path="messages[0].content[0].content[0]"),)


# --- tools ---------------------------------------------------------------------------------------------------


def test_a_call_has_the_text_of_its_input_as_arguments() -> None:
    data = (
        b'{"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"t","name":"f",'
        b'"input":{ "a":1.50, "b":"\\u00e9\\ud800" },"cache_control":{"type": "ephemeral"}}]}]}'
    )
    ((call,),) = (turn.parts for turn in read_conversation(split(data)))
    assert isinstance(call, ToolCall)
    assert (call.id, call.name, call.kind, call.cache, call.path) == (
        "t",
        "f",
        "function",
        MARK,
        "messages[0].content[0]",
    )
    assert value(call.arguments) == '{ "a":1.50, "b":"\\u00e9\\ud800" }'


@pytest.mark.parametrize("given_", [{}, {"input": None}, {"input": {}}])
def test_a_call_may_have_no_input(given_: dict[str, Any]) -> None:
    call = part({"type": "tool_use", "id": "t", "name": "f", **given_}, "assistant")
    assert isinstance(call, ToolCall)
    assert call.arguments == raw("{}")


RESULTS: list[tuple[dict[str, Any], tuple[Part, ...]]] = [
    ({}, ()),
    ({"content": None}, ()),
    ({"content": ""}, ()),
    ({"content": "ok"}, (Text(text=raw("ok"), path="messages[0].content[0].content"),)),
    (
        {"content": [{"type": "text", "text": "ok"}, MEDIA[0][0], MEDIA[3][0]]},
        (
            Text(text=raw("ok"), path="messages[0].content[0].content[0]"),
            structs.replace(MEDIA[0][1], path="messages[0].content[0].content[1]"),
            structs.replace(MEDIA[3][1], path="messages[0].content[0].content[2]"),
        ),
    ),
]


@pytest.mark.parametrize(("content", "inside"), RESULTS)
def test_a_result_has_words_and_media(content: dict[str, Any], inside: tuple[Part, ...]) -> None:
    result = part({"type": "tool_result", "tool_use_id": "t", **content})
    assert isinstance(result, ToolResult)
    assert (result.call_id, result.parts, result.is_error, result.cache) == ("t", inside, False, None)


@pytest.mark.parametrize(("said", "is_error"), [(True, True), (False, False), (None, False)])
def test_a_result_says_whether_it_is_an_error(said: object, is_error: bool) -> None:
    result = part({"type": "tool_result", "tool_use_id": "t", "is_error": said, "cache_control": EPHEMERAL})
    assert isinstance(result, ToolResult)
    assert (result.is_error, result.cache) == (is_error, MARK)


# --- reasoning -----------------------------------------------------------------------------------------------

OWN: dict[str, Any] = {"maker": "messages", "format": "anthropic-claude-v1"}


def thought(signature: object) -> Part:
    return part({"type": "thinking", "thinking": "hm", "signature": signature}, "assistant")


def test_a_signed_thought_is_this_protocols_own() -> None:
    at = "messages[0].content[0]"
    assert thought("sig") == Reasoning(kind="text", text=raw("hm"), seal=raw("sig"), path=at, **OWN)
    redacted = part({"type": "redacted_thinking", "data": "opaque"}, "assistant")
    assert redacted == Reasoning(kind="encrypted", seal=raw("opaque"), path=at, **OWN)


@pytest.mark.parametrize("signature", ["", None, "setpoint:no longer whole", 'setpoint:["messages"]'])
def test_a_thought_without_a_seal_that_anybody_takes_has_no_maker(signature: object) -> None:
    assert thought(signature) == Reasoning(kind="text", text=raw("hm"), path="messages[0].content[0]")


@pytest.mark.parametrize(
    "step",
    [
        Reasoning(kind="summary", maker="responses", format="openai-responses-v1", id="rs_1"),
        Reasoning(kind="encrypted", seal=raw("opaque"), maker="responses", format="openai-responses-v1", id="rs_1"),
        Reasoning(kind="text", seal=raw("signed"), maker="chat", format="google-gemini-v1"),
    ],
)
def test_a_thought_of_another_maker_comes_back_as_it_was(step: Reasoning) -> None:
    seal = write_seal(step, "messages")
    at = "messages[0].content[0]"
    if step.kind == "encrypted":
        read_back = part({"type": "redacted_thinking", "data": value(seal)}, "assistant")
        assert read_back == structs.replace(step, path=at)
    else:
        assert thought(value(seal)) == structs.replace(step, text=raw("hm"), path=at)


# --- what has no word elsewhere, and what is wrong -----------------------------------------------------------


@pytest.mark.parametrize(
    "kind",
    [
        *("server_tool_use", "web_search_tool_result", "web_fetch_tool_result", "code_execution_tool_result"),
        *("advisor_tool_result", "compaction", "container_upload", "tool_addition", "tool_removal", "mcp_tool_use"),
        *("tool_addition", "block_of_tomorrow"),
    ],
)
@pytest.mark.parametrize("role", ["user", "assistant", "system"])
def test_a_block_without_a_word_elsewhere_is_refused_by_its_path(kind: str, role: str) -> None:
    hello = {"role": "user", "content": "Hi"}
    blocks: list[dict[str, Any]] = [{"type": "text", "text": "x"}, {"type": kind, "tool": {}}]
    error = refusal({"messages": [hello, {"role": role, "content": blocks}]})
    assert error.message == f"messages[1].content[1]: {kind} has no word in another protocol"
    assert error.metadata == {"reason": "unsupported"}


def test_what_is_inside_a_result_is_refused_by_its_path() -> None:
    error = refused(
        {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "container_upload", "file_id": "f"}]}
    )
    assert error.path == "messages[0].content[0].content[0]"
    assert error.metadata == {"reason": "unsupported"}


def test_a_tool_that_a_search_has_found_is_told_in_words() -> None:
    block = {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "tool_reference", "tool_name": "f"}]}
    result = part(block)
    assert isinstance(result, ToolResult)
    assert [value(part.text) for part in result.parts if isinstance(part, Text)] == ["The tool f is available."]


@pytest.mark.parametrize("kind", ["x" * 500, "\n", "\u0000a"])
def test_a_kind_that_cannot_be_shown_is_not(kind: str) -> None:
    assert len(refused({"type": kind}).message) < 200
    assert refused({"type": kind}).message.isprintable()


@pytest.mark.parametrize("kind", ["openrouter_shell_tool_result", "openrouter_bash_tool_result"])
@pytest.mark.parametrize("role", ["user", "assistant"])
def test_results_of_tools_that_a_gateway_ran_are_dropped(kind: str, role: str) -> None:
    assert parts({"type": kind, "tool_use_id": "t", "content": {}}, role=role) == ()


@pytest.mark.parametrize(
    ("role", "kind"),
    [("user", "tool_use"), ("user", "thinking"), ("assistant", "tool_result"), ("system", "image")],
)
def test_a_block_in_the_wrong_message_is_refused_by_its_path(role: str, kind: str) -> None:
    assert refused({"type": kind}, role=role).message == f"messages[0].content[0]: {kind} cannot stand here"


AT = "messages[0].content[0]"
WRONG: list[tuple[object, str]] = [
    ("x", AT),
    (None, AT),
    ({}, f"{AT}.type"),
    ({"type": 7}, f"{AT}.type"),
    ({"type": "text"}, f"{AT}.text"),
    ({"type": "text", "text": 7}, f"{AT}.text"),
    ({"type": "image"}, f"{AT}.source"),
    ({"type": "image", "source": "x"}, f"{AT}.source"),
    ({"type": "image", "source": {}}, f"{AT}.source.type"),
    ({"type": "image", "source": {"type": "tape"}}, f"{AT}.source.type"),
    ({"type": "image", "source": {"type": "base64", "data": "x"}}, f"{AT}.source.media_type"),
    ({"type": "image", "source": {"type": "base64", "media_type": "image/png"}}, f"{AT}.source.data"),
    ({"type": "image", "source": {"type": "url", "url": {}}}, f"{AT}.source.url"),
    ({"type": "image", "source": {"type": "file"}}, f"{AT}.source.file_id"),
    ({"type": "document", "source": {"type": "text"}}, f"{AT}.source.data"),
    ({"type": "document", "source": {"type": "content"}}, f"{AT}.source.content"),
    ({"type": "document", "source": {"type": "content", "content": [1]}}, f"{AT}.source.content[0]"),
    ({"type": "document", "source": PDF, "title": 7}, f"{AT}.title"),
    ({"type": "document", "source": PDF, "context": []}, f"{AT}.context"),
    ({"type": "search_result", "title": "T", "content": []}, f"{AT}.source"),
    ({"type": "search_result", "title": "T", "source": "s"}, f"{AT}.content"),
    ({"type": "search_result", "title": "T", "source": "s", "content": [MEDIA[0][0]]}, f"{AT}.content[0]"),
    ({"type": "tool_result"}, f"{AT}.tool_use_id"),
    ({"type": "tool_result", "tool_use_id": "t", "content": 7}, f"{AT}.content"),
    ({"type": "tool_result", "tool_use_id": "t", "content": ["x"]}, f"{AT}.content[0]"),
]
WRONG_OF_ASSISTANT: list[tuple[object, str]] = [
    ({"type": "tool_use", "name": "f"}, f"{AT}.id"),
    ({"type": "tool_use", "id": "t"}, f"{AT}.name"),
    ({"type": "tool_use", "id": "t", "name": "f", "input": "x"}, f"{AT}.input"),
    ({"type": "thinking", "signature": "s"}, f"{AT}.thinking"),
    ({"type": "thinking", "thinking": "hm", "signature": 7}, f"{AT}.signature"),
    ({"type": "redacted_thinking"}, f"{AT}.data"),
]


@pytest.mark.parametrize(("block", "path"), WRONG)
def test_a_wrong_block_of_the_user_is_refused_by_the_path_of_what_is_wrong(block: object, path: str) -> None:
    assert refused(block).path == path


@pytest.mark.parametrize(("block", "path"), WRONG_OF_ASSISTANT)
def test_a_wrong_block_of_the_assistant_is_refused_by_the_path_of_what_is_wrong(block: object, path: str) -> None:
    assert refused(block, role="assistant").path == path


WRONG_MESSAGES: list[tuple[dict[str, Any], str]] = [
    ({"system": 7}, "system"),
    ({"system": ["x"]}, "system[0]"),
    ({"messages": ["x"]}, "messages[0]"),
    ({"messages": [{"role": "user"}]}, "messages[0].content"),
    ({"messages": [{"role": "user", "content": {}}]}, "messages[0].content"),
    ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].role"),
    ({"messages": [{"content": "x"}]}, "messages[0].role"),
]


@pytest.mark.parametrize(("body", "path"), WRONG_MESSAGES)
def test_a_wrong_message_is_refused_by_the_path_of_what_is_wrong(body: object, path: str) -> None:
    assert refusal(body).path == path


KINDS = [
    *("text", "image", "document", "search_result", "tool_use", "tool_result", "thinking", "redacted_thinking"),
    *("base64", "url", "file", "content", "user", "assistant", "system", "setpoint:[1]"),
]
NAMES = [
    *("type", "role", "content", "text", "source", "data", "media_type", "url", "file_id", "title", "context"),
    *("citations", "cache_control", "id", "name", "input", "tool_use_id", "is_error", "thinking", "signature"),
]


def typed(kind: str, rest: dict[str, Any]) -> dict[str, Any]:
    return {**rest, "type": kind}


def holding(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    members = st.dictionaries(st.sampled_from(NAMES), inner, max_size=5)
    return st.lists(inner, max_size=3) | members | st.builds(typed, st.sampled_from(KINDS), members)


PLAIN = st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.sampled_from(KINDS)
JSON: st.SearchStrategy[Any] = st.recursive(PLAIN, holding, max_leaves=20)


@given(JSON, st.lists(JSON, max_size=3))
def test_any_conversation_is_read_or_refused_by_a_path(system: object, contents: list[object]) -> None:
    for role in ("user", "assistant", "system"):
        try:
            read({"system": system, "messages": [{"role": role, "content": contents}]})
        except FieldError as error:
            assert error.path.startswith(("system", "messages[0]"))  # noqa: PT017 it may also be read
